import type { Clock } from '../clock.ts';
import { EXIT, exitCodeOf, SubmitError } from '../errors.ts';
import { explainToUser } from '../host/explain-to-user.ts';
import type { Outputs } from '../host/host.ts';
import { withRedaction } from '../host/redaction.ts';
import type { Http } from '../http/http.ts';
import type { CredentialSource } from '../identity/credential.ts';
import { openSession, type Session } from '../identity/session.ts';
import type { FoundRun, Run, RunStatus } from '../kind.ts';
import { requireOutputsFile, resolveAttachment } from './attach.ts';
import { type BindEnvironment, type BoundRun, bindRun, keyOfRun, keyOfSubmission } from './bind.ts';
import { deliver } from './deliver/deliver.ts';
import type { Delivered } from './deliver/delivery-environment.ts';
import { showDryRun } from './dry-run.ts';
import { conclude } from './ending.ts';
import { createGrace, type Grace } from './grace.ts';
import { createNarration, failureSummary, reportHead, wordsOfFault } from './narration.ts';
import { type WatchEnd, watch } from './watch.ts';

/** How long ending a credential may hold up the end of a step. */
const RELEASE_MS = 5_000;
/** How long a step that does not wait may look for what its submission became. */
const LOOK_MS = 10_000;

/** Everything that the core touches, given by a packaging's main. */
export interface RunEnvironment extends BindEnvironment {
  readonly http: Http;
  readonly clock: Clock;
  /** Aborts when the step is cancelled; the reason is the signal's name. */
  readonly signal: AbortSignal;
}

/**
 * Runs one step from settings to exit code and tells its story on the way: bind, identity, submit, watch, outcome.
 * Rejects only for faults of its own.
 */
export async function run(given: RunEnvironment): Promise<number> {
  const host = withRedaction(given.host);
  const environment = { ...given, host, http: given.http.reportingTo(host.log) };
  const { signal } = environment;
  try {
    const bound = await bindRun(environment);
    await requireOutputsFile(bound.values.attach, environment.files);
    if (bound.values['dry-run']) return showDryRun(bound, host);
    return await submitAndWait(bound, environment);
  } catch (error) {
    if (error instanceof SubmitError) {
      explainToUser(error, host);
      return signal.aborted ? exitCodeOf(signal) : error.exitCode;
    }
    // A fault of this program is none of the cancellation's, and tells nothing about the job.
    if (!signal.aborted || error !== signal.reason) throw error;
    host.log.warning('The step was cancelled before anything was submitted.');
    if (host.context.attempt > 1)
      host.log.info('A job that an earlier run of this step submitted may still be running.');
    return exitCodeOf(signal);
  }
}

async function submitAndWait(bound: BoundRun, environment: RunEnvironment): Promise<number> {
  const { host, http, clock, signal } = environment;
  const { access } = bound.plan;
  const grace = createGrace(signal);
  const exchange = { http, clock, log: host.log, subjectTokens: host.subjectTokens, conceal: host.conceal };
  const credential = access.credential(exchange);
  const session = openSession(exchange, credential, access.explain, signal);
  try {
    return await underCredential(bound, { ...environment, session, credential, grace });
  } finally {
    // What can be ended is ended with the step, and nobody waits long for it.
    await credential.release?.(AbortSignal.any([grace.settle, AbortSignal.timeout(RELEASE_MS)]));
  }
}

/** A run with what it reaches the service by. */
interface IdentifiedRun extends RunEnvironment {
  readonly session: Session;
  readonly credential: CredentialSource;
  readonly grace: Grace;
}

async function underCredential(bound: BoundRun, environment: IdentifiedRun): Promise<number> {
  const { host, clock, signal, session, credential, grace } = environment;
  const { values } = bound;
  const firstKey = keyOfRun(bound, host.context);
  const { delivered, key } = await submit(bound, firstKey, environment).catch((error: unknown) =>
    reportFailure(error, bound, firstKey, environment),
  );
  const { run, id } = delivered;
  const startedAt = clock.now();
  const narration = createNarration(bound, host, delivered, { key, firstKey });
  await narration.submitted();
  if (!values.wait && !signal.aborted) {
    const seen = run.url(id) === undefined ? await look(delivered, environment) : undefined;
    if (!signal.aborted) return narration.left(seen);
  }

  const deadline = startedAt + bound.waitSeconds * 1000;
  narration.waiting(startedAt, deadline, credential.lastsUntil());
  const isNew = delivered.origin === 'created';
  const watched = await watch(run, id, { session, credential, deadline, isNew, onPhase: narration.phase })
    .then((end) => completed(delivered, end, session))
    .catch(async (error: unknown) => {
      throw await narration.lost(error);
    });
  return conclude(watched, { bound, host, session, grace, narration, delivered, startedAt });
}

async function submit(
  bound: BoundRun,
  firstKey: string,
  environment: IdentifiedRun,
): Promise<{ readonly delivered: Delivered; readonly key: string }> {
  const { session, credential, grace, host, http, signal } = environment;
  const { log } = host;
  const { kind, plan, values } = bound;
  const { access, title } = plan;
  log.section('identity', `Identity: ${access.identity}`);
  const obtaining = credential.get(signal);
  // The connection to the service is made, and the CI asked, while the token is exchanged.
  http.warm(access.origin);
  const publishing = host.previousOutputs(firstKey, signal).catch(() => undefined);
  await obtaining;

  log.section('submit', `${plan.does === 'attach' ? 'Attach' : 'Submit'}: ${title}`);
  if (plan.does === 'attach') {
    const delivered = await resolveAttachment(values.attach ?? '', kind, plan.run, { ...environment, session });
    return { delivered, key: firstKey };
  }
  const submission = plan.submission.stage === 'draft' ? await plan.submission.prepare(session) : plan.submission;
  const key = keyOfSubmission(bound, submission.payload, host.context);
  const delivered = await deliver(submission, {
    session,
    access,
    context: host.context,
    grace,
    title,
    key,
    serverTimeoutSeconds: plan.does === 'run' ? plan.serverTimeoutSeconds : undefined,
    spell: host.spell,
    published: async () => {
      const outputs = await (key === firstKey ? publishing : host.previousOutputs(key, signal));
      signal.throwIfAborted();
      return publishedRun(outputs, key, plan.run);
    },
    beforeSending: async (attempt) => {
      // From here until its answer is read, only the key tells which job a killed step may have left behind.
      if (plan.run.cancellation === undefined) return;
      await host.remember({ kind: kind.id, key, attempt }).catch((error: unknown) => {
        log.warning(`If this step is killed now, its job is not cancelled with it: ${wordsOfFault(error)}`);
      });
    },
  }).catch(async (error: unknown) => {
    // A failed submission is over, unless the step was cancelled: then the job may exist and the second chance looks for it.
    if (!signal.aborted) await host.forget().catch(() => undefined);
    throw error;
  });
  return { delivered, key };
}

/** One look at a run whose address only the service knows; undefined, with a warning, where it cannot be had now. */
async function look({ id, run }: Delivered, { session, signal }: IdentifiedRun): Promise<RunStatus | undefined> {
  try {
    return await run.status(session.until(AbortSignal.any([signal, AbortSignal.timeout(LOOK_MS)])), id);
  } catch (error) {
    const why = error instanceof SubmitError ? error.message : `no answer came within ${LOOK_MS / 1000} s`;
    if (!signal.aborted) session.log.warning(`Could not look up the job's URL: ${why}`);
    return undefined;
  }
}

/** Does what is left to do with a run that succeeded. */
async function completed({ id, run }: Delivered, ending: WatchEnd, session: Session): Promise<WatchEnd> {
  if (ending.end !== 'over' || ending.status.phase !== 'succeeded' || run.complete === undefined) return ending;
  try {
    return { ...ending, status: await run.complete(session, id, ending.status) };
  } catch (error) {
    if (session.signal.aborted) return { ...ending, end: 'aborted' };
    if (!(error instanceof SubmitError)) throw error;
    // The run is there; what it cannot be finished with is its failure, and not that of the submission.
    const cause = error.exitCode === EXIT.identity ? 'permission' : 'infrastructure';
    const message = [error.message, ...error.explanation.remedy].join('\n');
    return { ...ending, status: { ...ending.status, phase: 'failed', failure: { cause, message } } };
  }
}

/** The run that outputs name, if they are those of this very submission. */
function publishedRun(outputs: Outputs | undefined, key: string, run: Run): FoundRun | undefined {
  const attempt = Number(outputs?.attempt);
  const id = run.readReference(outputs?.id ?? '');
  const isOurs = outputs?.['submission-key'] === key && Number.isSafeInteger(attempt) && attempt > 0;
  return isOurs && id !== undefined ? { id, attempt } : undefined;
}

/** Shows in the report that the step ended before there was a job to wait for, and passes the error on. */
async function reportFailure(
  error: unknown,
  bound: BoundRun,
  key: string,
  environment: RunEnvironment,
): Promise<never> {
  const { host, signal } = environment;
  if (error instanceof SubmitError && !signal.aborted) {
    await host.report({ ...reportHead(bound, host), ...failureSummary(error) }, key).catch((fault: unknown) => {
      host.log.warning(`The report failed: ${wordsOfFault(fault)}`);
    });
  }
  throw error;
}
