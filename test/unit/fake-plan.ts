import { SubmitError } from '../../shared/errors.ts';
import { type Attempt, createHttp, HTTP_TIMINGS } from '../../shared/http/http.ts';
import type { Session } from '../../shared/identity/session.ts';
import type { Access, Phase, Run, RunPlan, RunStatus } from '../../shared/kind.ts';
import { type VirtualClock, virtualClock } from '../contract/virtual-clock.ts';
import { recordingHost } from './recording-host.ts';

/** What a look at a run finds, in a word that is its phase in capitals. */
export function statusOf(phase: Phase, more: Partial<RunStatus> = {}): RunStatus {
  return { phase, word: phase.toUpperCase(), parts: [], source: {}, ...more };
}

/** An answer of a service. */
export function answerOf(status: number, text = '{}'): Extract<Attempt, { kind: 'answer' }> {
  return { kind: 'answer', status, contentType: 'application/json', text };
}

/** A run of a service that has nothing but the run's id. */
export function fakeRun(changes: Partial<Run> = {}): Run {
  return {
    readReference: (reference) => reference,
    url: () => undefined,
    find: undefined,
    status: () => Promise.reject(new Error('the status is not asked for')),
    log: undefined,
    whyLate: undefined,
    cancellation: undefined,
    complete: undefined,
    conclude: async () => ({ outputs: {}, notes: [] }),
    ...changes,
  };
}

/** Access to a service at service.example, which lets nobody in until it is told how. */
export function fakeAccess(changes: Partial<Access> = {}): Access {
  return {
    identity: 'ci@acme.example',
    origin: 'https://service.example',
    place: undefined,
    logins: [],
    secretHeaders: [],
    credential: () => {
      throw new Error('the credential is not asked for');
    },
    explain: () => new SubmitError('request-rejected', { happened: 'refused', remedy: [] }),
    isCapacity: () => false,
    ...changes,
  };
}

/** A plan that submits an empty payload. */
export function fakePlan(changes: Partial<Omit<RunPlan, 'submission'>> = {}): RunPlan {
  const { run = fakeRun() } = changes;
  return {
    does: 'run',
    title: 'the job',
    access: fakeAccess(),
    longestSeconds: undefined,
    serverTimeoutSeconds: undefined,
    run,
    submission: {
      stage: 'ready',
      payload: {},
      delivery: {
        by: 'token',
        create: () => ({ method: 'POST', url: 'https://service.example/runs' }),
        read: () => undefined,
      },
      run,
    },
    ...changes,
  };
}

/** A session in which nothing can be asked but what `changes` answers. It is the same until any signal aborts. */
export function fakeSession(changes: Partial<Session> & { readonly clock?: VirtualClock } = {}): Session {
  const { clock = virtualClock() } = changes;
  const { host } = recordingHost();
  const refuse = () => Promise.reject(new Error('this is not asked for'));
  const session: Session = {
    http: createHttp(refuse, clock, HTTP_TIMINGS),
    clock,
    log: host.log,
    subjectTokens: host.subjectTokens,
    conceal: host.conceal,
    signal: new AbortController().signal,
    read: refuse,
    persist: refuse,
    attempt: refuse,
    until: (signal) => ({ ...session, signal }),
    ...changes,
  };
  return session;
}
