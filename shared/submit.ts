import type { CiContext } from './ci-context.ts';
import type { Clock } from './clock.ts';
import { SubmitError } from './errors.ts';
import type { Log } from './host.ts';
import { type Attempt, answerJson, describeAttempt, exhausted, isTransient, retryDelay } from './http.ts';
import { isOver, type Job, type RunStatus } from './jobs/job-kind.ts';
import type { JsonObject } from './json.ts';
import type { ServiceClient } from './service-client.ts';
import { attemptToken } from './submission-key.ts';

export interface Submitted {
  readonly id: string;
  readonly attempt: number;
  /** Whether this step made the run, or found the one that an earlier run of the step had made. */
  readonly origin: 'created' | 'found';
}

export interface SubmissionEnvironment {
  readonly client: ServiceClient;
  readonly clock: Clock;
  readonly log: Log;
  readonly context: CiContext;
  readonly signal: AbortSignal;
}

/** How long a submission may be tried, with all its repeats and look-ups. */
const BUDGET_MS = 120_000;
/** After a cancel, how long an answer on its way is waited for: its run must be cancelled too. */
export const CANCEL_GRACE_MS = 4_000;
/** A list may show a new run late, so an unanswered submission is looked for several times before it is sent again. */
const LOOK_UP_DELAYS_MS = [1_000, 2_000, 4_000, 8_000];
/** While an earlier run is ending, how often it is looked at. */
const ENDING_POLL_MS = 2_000;

/**
 * Submits exactly once. On the first run of the step it creates attempt 1. On a re-run it attaches to the run of the same key
 * while that is active; when it is over, a manual re-run makes the next attempt, and an automatic retry does so only after a failure.
 * @throws SubmitError when the service refuses, cannot be used, or leaves unknown whether it made the run.
 */
export async function submitOnce(
  job: Job,
  payload: JsonObject,
  key: string,
  environment: SubmissionEnvironment,
): Promise<Submitted> {
  const { context } = environment;
  if (context.attempt <= 1) return createAttempt(job, payload, key, 1, environment);
  return job.recognisesRepeats
    ? resubmitUntilNew(job, payload, key, environment)
    : findOrCreate(job, payload, key, environment);
}

/** With tokens that the service remembers, submitting again is the look-up; there were at most as many attempts as runs of the step. */
async function resubmitUntilNew(
  job: Job,
  payload: JsonObject,
  key: string,
  environment: SubmissionEnvironment,
): Promise<Submitted> {
  for (let attempt = 1; attempt < environment.context.attempt; attempt += 1) {
    const earlier = await createAttempt(job, payload, key, attempt, environment).catch((error: unknown) => {
      // The service may refuse the token of a run that was deleted since; a refusal with another reason comes again below.
      if (error instanceof SubmitError && (error.code === 'request-rejected' || error.code === 'not-found'))
        return undefined;
      throw error;
    });
    if (earlier !== undefined && (await keepsEarlier(job, earlier.id, environment)))
      return { ...earlier, origin: 'found' };
  }
  return createAttempt(job, payload, key, environment.context.attempt, environment);
}

async function findOrCreate(
  job: Job,
  payload: JsonObject,
  key: string,
  environment: SubmissionEnvironment,
): Promise<Submitted> {
  const earlier = (await job.find?.(environment.client, key, environment.signal))?.at(-1);
  if (earlier === undefined) return createAttempt(job, payload, key, 1, environment);
  if (await keepsEarlier(job, earlier.id, environment)) return { ...earlier, origin: 'found' };
  return createAttempt(job, payload, key, earlier.attempt + 1, environment);
}

async function keepsEarlier(job: Job, id: string, environment: SubmissionEnvironment): Promise<boolean> {
  const { client, clock, context, log, signal } = environment;
  let status: RunStatus = await job.status(client, id, signal);
  for (let told = false; status.ending === true && !isOver(status); told = true) {
    if (!told) log.info(`The earlier run ${id} is ending (${status.word}); waiting to see how`);
    await clock.sleep(ENDING_POLL_MS, signal);
    signal.throwIfAborted();
    status = await job.status(client, id, signal);
  }
  if (!isOver(status)) {
    log.info(`This step's submission is ${id}, which is ${status.phase}: attaching to it`);
    return true;
  }
  const kept = context.retry === 'automatic' && status.phase === 'succeeded';
  log.info(
    kept
      ? `An earlier run of this step submitted ${id}, which succeeded: its result is kept`
      : `An earlier run of this step submitted ${id}, which ${status.phase === 'cancelled' ? 'was cancelled' : status.phase}: submitting anew`,
  );
  return kept;
}

/** Sends one attempt until it is known to exist, or known not to. */
async function createAttempt(
  job: Job,
  payload: JsonObject,
  key: string,
  attempt: number,
  environment: SubmissionEnvironment,
): Promise<Submitted> {
  const { client, clock, log, signal } = environment;
  const call = job.submissionCall(payload, { key, attempt, token: attemptToken(key, attempt) });
  const startedAt = clock.now();
  let unknown = false;
  let lastTry = false;
  for (let round = 1; ; round += 1) {
    const result = await client.attempt(call, delayedAbort(signal));
    if (result.kind === 'answer' && result.status >= 200 && result.status < 300) {
      const id = job.readSubmission(answerJson(result));
      if (id !== undefined) return { id, attempt, origin: 'created' };
    } else if (result.kind === 'answer' && (!isTransient(result.status) || job.isCapacity(result))) {
      throw job.explain(call, result);
    }
    const ambiguous = mayHaveCreated(result);
    unknown ||= ambiguous;
    if (ambiguous && !job.recognisesRepeats) {
      log.warning(`The answer to the submission was lost (${describeAttempt(result)}); looking for the job by its key`);
      const found = await lookUp(job, key, attempt, environment);
      if (found !== undefined) return { id: found, attempt, origin: 'created' };
    }
    const wait = retryDelay(round, result);
    if (lastTry || (!signal.aborted && clock.now() - startedAt + wait > BUDGET_MS)) {
      throw unknown ? submissionUnknown(job, key, result) : exhausted(call.url, result, round);
    }
    if (!signal.aborted) {
      log.debug(`submission attempt ${round}: ${describeAttempt(result)}; again in ${wait} ms`);
      await clock.sleep(wait, signal);
    }
    if (signal.aborted) {
      if (!unknown) signal.throwIfAborted();
      // What may exist must be cancelled with the step, and only an answer names it.
      if (!job.recognisesRepeats) throw submissionUnknown(job, key, result);
      lastTry = true;
    }
  }
}

/** A refusal to serve (429) and a connection never made are safe; anything else may have come through. */
function mayHaveCreated(result: Attempt): boolean {
  return result.kind === 'lost' ? result.sent : result.status !== 429;
}

async function lookUp(
  job: Job,
  key: string,
  attempt: number,
  { client, clock, signal }: SubmissionEnvironment,
): Promise<string | undefined> {
  for (const delay of LOOK_UP_DELAYS_MS) {
    if (!signal.aborted) await clock.sleep(delay, signal);
    const found = await job.find?.(client, key, delayedAbort(signal));
    const run = found?.find((candidate) => candidate.attempt === attempt);
    if (run !== undefined) return run.id;
    if (signal.aborted) return undefined;
  }
  return undefined;
}

/** Aborts some time after `signal` does, so that a request on its way still gets its answer. */
export function delayedAbort(signal: AbortSignal): AbortSignal {
  const controller = new AbortController();
  const arm = () => {
    const timer = AbortSignal.timeout(CANCEL_GRACE_MS);
    timer.addEventListener('abort', () => controller.abort(timer.reason), { once: true });
  };
  if (signal.aborted) arm();
  else signal.addEventListener('abort', arm, { once: true });
  return controller.signal;
}

function submissionUnknown(job: Job, key: string, last: Attempt): SubmitError {
  return new SubmitError('submission-unknown', {
    happened: `It is unknown whether the job was submitted: ${describeAttempt(last)}`,
    presented: [job.title, `submission key ${key}`],
    remedy: [
      'Start the step again: if the job exists, it is found by this key and attached to; if not, it is submitted.',
      ...(job.serverTimeoutSeconds === undefined
        ? []
        : [`If it exists and nobody attaches, the service ends it after ${job.serverTimeoutSeconds} s.`]),
    ],
  });
}
