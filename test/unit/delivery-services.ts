import { expect } from 'vitest';
import type { Answer, HttpCall } from '../../shared/http/http.ts';
import type { Session } from '../../shared/identity/session.ts';
import { isArray, isObject, type Json, numberAt, stringifyJson, textAt, tryParseJson } from '../../shared/json.ts';
import type { Cancellation, Phase, Run, RunSubmission, SubmissionMark } from '../../shared/kind.ts';
import { attemptToken } from '../../shared/submission-key.ts';
import { KEY, type Reply, type Serve } from './delivery-world.ts';
import { fakeRun, statusOf } from './fake-plan.ts';

export const URL_OF_RUNS = 'https://service.example/runs';

/** How a run stands. */
export interface Standing {
  readonly phase: Phase;
  readonly word?: string;
  readonly ending?: boolean;
  readonly startedAt?: number;
}

/** A run that is there before the step begins. */
export interface Earlier {
  readonly id: string;
  readonly attempt?: number;
  /** How it stands; a function tells by the ms that have passed, and undefined once it is deleted. */
  readonly stands?: Standing | ((passedMs: number) => Standing | undefined);
  /** The run is not what this submission would make. */
  readonly foreign?: true;
}

export interface ServiceOptions {
  readonly earlier?: readonly Earlier[];
  /** How runs stand that are made from now on. */
  readonly made?: Standing | ((passedMs: number) => Standing | undefined);
  /** How long after it was made a run is not listed, and not known to reads. */
  readonly listedAfterMs?: number;
  readonly readableAfterMs?: number;
  readonly cancellation?: Cancellation;
}

/** A service in memory with one way to submit to it. */
export interface RunService {
  readonly submission: RunSubmission;
  readonly serve: Serve;
  /** All runs that exist, by their ids. */
  readonly runs: () => readonly string[];
}

interface Stored extends Earlier {
  readonly attempt: number;
  readonly token: string;
  readonly madeAtMs: number;
}

/** What a service's way to submit does with a request: the run that it finds or `make`s, or its refusal. */
type Submit = (mark: SubmissionMark, store: Stored[], make: (id: string) => Stored, passedMs: number) => Reply;

const json = (status: number, body: Json, headers: Reply['headers'] = {}): Reply => ({
  status,
  text: stringifyJson(body),
  headers,
});

function serviceOf(
  submit: Submit,
  delivery: (create: (mark: SubmissionMark) => HttpCall, run: Run) => RunSubmission['delivery'],
  options: ServiceOptions,
): RunService {
  const { earlier = [], made = { phase: 'queued' }, listedAfterMs = 0, readableAfterMs = 0 } = options;
  const store: Stored[] = earlier.map((run) => {
    const attempt = run.attempt ?? 1;
    return { ...run, attempt, token: attemptToken(KEY, attempt), madeAtMs: Number.NEGATIVE_INFINITY };
  });
  const standingOf = ({ stands = { phase: 'running' } }: Earlier, passedMs: number) =>
    typeof stands === 'function' ? stands(passedMs) : stands;

  const serve: Serve = ({ method, path, body, passedMs }) => {
    if (method === 'POST') {
      const mark = body as unknown as SubmissionMark & { readonly image: string };
      expect(mark).toEqual({ image: 'train', key: KEY, attempt: mark.attempt, token: attemptToken(KEY, mark.attempt) });
      const make = (id: string): Stored => {
        const run = { id, attempt: mark.attempt, token: mark.token, stands: made, madeAtMs: passedMs };
        store.push(run);
        return run;
      };
      return submit(mark, store, make, passedMs);
    }
    const visible = (afterMs: number) =>
      store.filter((run) => run.madeAtMs + afterMs <= passedMs && standingOf(run, passedMs) !== undefined);
    if (path.startsWith('/runs?')) {
      const found = path === `/runs?key=${KEY}` ? visible(listedAfterMs) : [];
      return json(
        200,
        found.map(({ id, attempt }) => ({ id, attempt })),
      );
    }
    const run = visible(readableAfterMs).find(({ id }) => path === `/runs/${id}`);
    if (run === undefined) return { status: 404 };
    return json(200, { ...standingOf(run, passedMs), foreign: run.foreign === true });
  };

  const run = fakeRun({
    status: async (session, id) => {
      const { phase, word, ...more } = (await session.read(get(`/${id}`))) as unknown as Standing;
      return statusOf(phase, { ...more, ...(word === undefined ? {} : { word }) });
    },
    cancellation: options.cancellation,
  });
  const create = (mark: SubmissionMark): HttpCall => ({
    method: 'POST',
    url: URL_OF_RUNS,
    body: stringifyJson({ image: 'train', key: mark.key, attempt: mark.attempt, token: mark.token }),
  });
  return {
    submission: { stage: 'ready', payload: { image: 'train' }, delivery: delivery(create, run), run },
    serve,
    runs: () => store.map(({ id }) => id),
  };
}

function get(path: string): HttpCall {
  return { method: 'GET', url: `${URL_OF_RUNS}${path}` };
}

const idOf = (answer: Answer) => textAt(tryParseJson(answer.text), 'id');

/** A new run's id, by how many there are. */
const nextId = (store: readonly Stored[]) => `n${store.filter(({ id }) => /^n\d/.test(id)).length + 1}`;

export interface TokenOptions extends ServiceOptions {
  /** Whether its answers tell whether the run is new. */
  readonly tellsAge?: boolean;
  /** Its own clock, which its answers tell, is so many ms ahead of the time that has passed. */
  readonly aheadMs?: number;
}

/** The service remembers tokens, also those of runs that were deleted: these it refuses. */
export function byToken(options: TokenOptions = {}): RunService {
  const { tellsAge = false, aheadMs } = options;
  return serviceOf(
    ({ token }, store, make, passedMs) => {
      const before = store.find((run) => run.token === token);
      if (before !== undefined && typeof before.stands === 'function' && before.stands(passedMs) === undefined)
        return { status: 400 };
      const { id } = before ?? make(nextId(store));
      const made = !tellsAge ? 'unknown' : before === undefined ? 'now' : 'before';
      const headers: Reply['headers'] =
        aheadMs === undefined ? {} : { date: new Date(aheadMs + passedMs).toISOString() };
      return json(200, { id, made }, headers);
    },
    (create) => ({
      by: 'token',
      create,
      read: (answer) => {
        const id = idOf(answer);
        const made = textAt(tryParseJson(answer.text), 'made') as 'now' | 'before' | 'unknown' | undefined;
        return id === undefined || made === undefined ? undefined : { id, made };
      },
    }),
    options,
  );
}

export interface MarkOptions extends ServiceOptions {
  /** Gives the service what it asks for by 400. */
  readonly supply?: (refusal: Answer, session: Session) => Promise<boolean>;
}

/** The service makes a run at each request, and lists them by their key. */
export function byMark(options: MarkOptions = {}): RunService {
  return serviceOf(
    (_mark, store, make) => json(200, { id: make(nextId(store)).id }),
    (create) => ({
      by: 'mark',
      create,
      read: idOf,
      find: async (session, key) => {
        const found = await session.read(get(`?key=${key}`));
        return (isArray(found) ? found : []).map((run) => ({
          id: textAt(run, 'id') ?? '',
          attempt: numberAt(run, 'attempt') ?? 0,
        }));
      },
      supply: options.supply,
    }),
    options,
  );
}

/** The id that an attempt's run has. */
export const nameOf = (attempt: number) => `${KEY.slice(0, 4)}-${attempt}`;

/** The service refuses a second run of the same name, also where the first was deleted. */
export function byName(options: ServiceOptions = {}): RunService {
  return serviceOf(
    ({ attempt }, store, make) => {
      if (store.some(({ id }) => id === nameOf(attempt))) return { status: 409, text: 'taken' };
      make(nameOf(attempt));
      return { status: 201 };
    },
    (create) => ({
      by: 'name',
      id: ({ key, attempt }) => `${key.slice(0, 4)}-${attempt}`,
      create,
      isTaken: ({ status, text }) => status === 409 && text === 'taken',
      isOurs: async (session, mark) => {
        const answer = await session.persist(get(`/${nameOf(mark.attempt)}`));
        const found = tryParseJson(answer.text);
        return isObject(found) ? found.foreign === false : undefined;
      },
    }),
    options,
  );
}
