import { formatDuration } from '../clock.ts';
import { SubmitError } from '../errors.ts';
import type { CiContext } from '../host/ci-context.ts';
import {
  type Answer,
  type Attempt,
  describeAttempt,
  exhausted,
  isTransient,
  patience,
  retryDelay,
  tellPause,
} from '../http/http.ts';
import type { JsonObject } from '../json.ts';
import { type FoundRun, isOver, type Job, type JobEnvironment, type RunStatus, type Submission } from '../kind.ts';
import { attemptToken } from '../submission-key.ts';
import type { Grace } from './grace.ts';
import { LIST_DELAYS_MS, lookRepeatedly, STATE_DELAYS_MS } from './look-up.ts';

export interface Submitted {
  readonly id: string;
  readonly attempt: number;
  /** Whether this step made the run, or found the one that an earlier run of the step had made. */
  readonly origin: 'created' | 'found';
  /** When it was first sent, by the service's clock in ms, where its answer tells. */
  readonly sentAt?: number;
  /** Whether nobody had made the run before, where the service tells. */
  readonly isNew?: boolean;
}

export interface SubmissionEnvironment extends JobEnvironment {
  readonly context: CiContext;
  readonly grace: Grace;
  /** A setting's name as users of this CI write it. */
  readonly spell: (setting: string) => string;
  /** The run that was published in this build for a key, where the CI keeps that. */
  readonly published: (key: string) => Promise<FoundRun | undefined>;
  /** Called before an attempt is sent for the first time. */
  readonly beforeSending?: (attempt: number) => Promise<void>;
}

/** How long one attempt may be sent again; look-ups in between take their own time. */
const BUDGET_MS = 120_000;
/** While an earlier run is ending, how often and how long it is looked at. */
const ENDING_POLL_MS = 2_000;
const ENDING_LIMIT_MS = 600_000;

/**
 * Submits exactly once. On the first run of the step it creates attempt 1, or joins an identical submission of the same build. On a
 * re-run it attaches to the run of the same key while that is active; when it is over, a manual re-run makes the next attempt, and
 * an automatic retry does so only after a failure.
 * @throws SubmitError when the service refuses, cannot be used, or leaves unknown whether it made the run.
 */
export async function submitOnce(
  job: Job,
  payload: JsonObject,
  key: string,
  environment: SubmissionEnvironment,
): Promise<Submitted> {
  const { context, published } = environment;
  const known = await published(key);
  if (context.attempt <= 1) {
    if (known !== undefined && job.repeatable !== true) return joined({ ...known, origin: 'found' }, environment);
    const submitted = await createAttempt(job, payload, key, 1, environment);
    return submitted.origin === 'found' && job.repeatable !== true ? joined(submitted, environment) : submitted;
  }
  return job.recognisesRepeats
    ? resubmitUntilNew(job, payload, key, known?.attempt ?? 1, environment)
    : findOrCreate(job, payload, key, job.repeatable === true ? undefined : known, environment);
}

/** On the first run of a step, whoever submitted the same must be another job of the build. */
function joined(submitted: Submitted, { log, spell }: SubmissionEnvironment): Submitted {
  log.info(`Another job of this build submitted the identical request: joining its run ${submitted.id}`);
  log.info(`To submit a separate run, give each job a different ${spell('instance')}.`);
  return submitted;
}

/**
 * With tokens that the service remembers, submitting again is the look-up. It begins with the last attempt that is known of, which
 * may be that of an identical job; there were at most as many as runs of the step.
 */
async function resubmitUntilNew(
  job: Job,
  payload: JsonObject,
  key: string,
  first: number,
  environment: SubmissionEnvironment,
): Promise<Submitted> {
  const { client, context, signal } = environment;
  const next = Math.max(first + 1, context.attempt);
  for (let attempt = first; attempt < next; attempt += 1) {
    const candidate = await createAttempt(job, payload, key, attempt, environment).catch((error: unknown) => {
      // The service may refuse the token of a run that was deleted since; a refusal with another reason comes again below.
      if (error instanceof SubmitError && (error.code === 'request-rejected' || error.code === 'not-found'))
        return undefined;
      throw error;
    });
    if (candidate === undefined) continue;
    const status = await job.status(client, candidate.id, signal).catch((error: unknown) => {
      // There is a job, which is to be cancelled with the step.
      if (signal.aborted) return undefined;
      throw error;
    });
    if (status === undefined) return { ...candidate, origin: 'found' };
    // Nobody had used this token: the run is this step's own, however soon it ended.
    const { sentAt } = candidate;
    const startedAfter = sentAt !== undefined && status.startedAt !== undefined && status.startedAt >= sentAt;
    if (candidate.isNew ?? startedAfter) return candidate;
    if (await keepsEarlier(job, candidate.id, status, environment)) return { ...candidate, origin: 'found' };
  }
  return createAttempt(job, payload, key, next, environment);
}

async function findOrCreate(
  job: Job,
  payload: JsonObject,
  key: string,
  known: FoundRun | undefined,
  environment: SubmissionEnvironment,
): Promise<Submitted> {
  const { log, signal } = environment;
  const earlier = await latestRun(job, key, known, environment);
  if (earlier === undefined) return createAttempt(job, payload, key, 1, environment);
  // A new run may be unknown to reads for a moment, too.
  const look = () => statusUnlessGone(job, earlier.id, environment);
  const status = await lookRepeatedly(look, LIST_DELAYS_MS, environment);
  signal.throwIfAborted();
  if (status === undefined)
    log.info(`An earlier run of this step submitted ${earlier.id}, which no longer exists: submitting again`);
  else if (await keepsEarlier(job, earlier.id, status, environment)) return { ...earlier, origin: 'found' };
  return createAttempt(job, payload, key, earlier.attempt + 1, environment);
}

/** The status of a run; undefined where the service does not know it. */
function statusUnlessGone(
  job: Job,
  id: string,
  { client, signal }: SubmissionEnvironment,
): Promise<RunStatus | undefined> {
  return job.status(client, id, signal).catch((error: unknown) => {
    if (error instanceof SubmitError && error.code === 'not-found') return undefined;
    throw error;
  });
}

/**
 * The newest run of a submission, as published or listed. Each earlier run of the step may have made one more than is known, and a
 * list may not show it yet; only while a known one is active there can be no newer one.
 */
async function latestRun(
  job: Job,
  key: string,
  known: FoundRun | undefined,
  environment: SubmissionEnvironment,
): Promise<FoundRun | undefined> {
  const { client, context, log, signal } = environment;
  let latest = known;
  let isTold = false;
  const look = async (): Promise<FoundRun | undefined> => {
    const listed = (await job.find?.(client, key, signal))?.at(-1);
    if (listed !== undefined && listed.attempt >= (latest?.attempt ?? 1)) latest = listed;
    if (latest !== undefined && latest.attempt >= context.attempt - 1) return latest;
    const status = latest === undefined ? undefined : await statusUnlessGone(job, latest.id, environment);
    if (status !== undefined && !isOver(status)) return latest;
    if (!isTold && job.repeatable !== true)
      log.info(
        'Looking for up to a minute for a job that an earlier run of this step may have submitted, since new jobs can be listed late',
      );
    isTold = true;
    return undefined;
  };
  // What is read by its own name is not listed late.
  await lookRepeatedly(look, job.repeatable === true ? [] : LIST_DELAYS_MS, environment);
  signal.throwIfAborted();
  return latest;
}

async function keepsEarlier(
  job: Job,
  id: string,
  seen: RunStatus,
  environment: SubmissionEnvironment,
): Promise<boolean> {
  const { context, log } = environment;
  const status = await settled(job, id, seen, environment);
  if (!isOver(status)) {
    log.info(`This step's submission is ${id}, which is ${status.phase}: attaching to it`);
    return true;
  }
  const kept = context.retry === 'automatic' && status.phase === 'succeeded';
  log.info(
    kept
      ? `An earlier run of this step submitted ${id}, which succeeded: its result is kept`
      : `An earlier run of this step submitted ${id}, which ${status.phase === 'cancelled' ? 'was cancelled' : status.phase}: submitting again`,
  );
  return kept;
}

/** Waits until a run that is on its way to an end has one: it should neither be attached to nor be run beside. */
async function settled(
  job: Job,
  id: string,
  seen: RunStatus,
  { client, clock, log, signal }: SubmissionEnvironment,
): Promise<RunStatus> {
  const startedAt = clock.now();
  let status = seen;
  if (status.ending === true && !isOver(status))
    log.info(`The earlier run ${id} is ending (${status.word}); waiting to see how`);
  while (status.ending === true && !isOver(status)) {
    if (clock.now() - startedAt > ENDING_LIMIT_MS) {
      throw new SubmitError('wait-deadline', {
        happened: `The earlier run ${id} of this step has been ending for ${formatDuration(ENDING_LIMIT_MS)}; nothing was submitted beside it`,
        presented: [`state ${status.word}`],
        remedy: [
          'Start the step again when that run is over.',
          ...(job.cancellation === undefined ? [] : [`To cancel it: ${job.cancellation.command(id)}`]),
        ],
      });
    }
    await clock.sleep(ENDING_POLL_MS, signal);
    signal.throwIfAborted();
    status = await job.status(client, id, signal);
  }
  return status;
}

/** Sends one attempt until it is known to exist, or known not to. */
async function createAttempt(
  job: Job,
  payload: JsonObject,
  key: string,
  attempt: number,
  environment: SubmissionEnvironment,
): Promise<Submitted> {
  const { client, clock, grace, log, signal } = environment;
  let startedAt = clock.now();
  /** Why it is not known whether an earlier round made the run. */
  let unknown: string | undefined;
  signal.throwIfAborted();
  await environment.beforeSending?.(attempt);
  signal.throwIfAborted();
  for (let round = 1; ; round += 1) {
    const lastTry = signal.aborted;
    const call = job.submissionCall(payload, { key, attempt, token: attemptToken(key, attempt) });
    const result = await client
      .attempt(call, lastTry ? grace.lastTry : grace.answer)
      .catch((error: unknown): Attempt => {
        if (signal.aborted) return { kind: 'lost', reason: 'the step was cancelled before an answer came', sent: true };
        throw afterUnknown(error);
      });
    if (result.kind === 'answer' && result.status >= 200 && result.status < 300) {
      const submission = job.readSubmission(result);
      if (submission !== undefined) return accepted(submission, result);
    } else if (result.kind === 'answer' && (await supply(result))) {
      if (unknown === undefined) signal.throwIfAborted();
      // What was asked for is there now, and the time that it took is not the submission's.
      startedAt = clock.now();
      continue;
    } else if (result.kind === 'answer' && (!isTransient(result.status) || job.isCapacity(result))) {
      throw afterUnknown(job.explain(call, result));
    }
    if (mayHaveCreated(result)) {
      unknown = describeAttempt(result);
      if (!job.recognisesRepeats) {
        log.warning(
          `The response to the submission was lost (${unknown}); looking for the job by its key for up to a minute`,
        );
        const found = await lookUp(job, key, attempt, environment).catch((error: unknown) => {
          throw afterUnknown(error);
        });
        if (found !== undefined) return { id: found, attempt, origin: 'created' };
      }
    }
    const wait = retryDelay(round, result);
    const passed = clock.now() - startedAt;
    if (lastTry || (!signal.aborted && passed + wait > patience(result, BUDGET_MS))) {
      throw afterUnknown(exhausted(call.url, result, round));
    }
    if (!signal.aborted) {
      log.debug(`submission attempt ${round}: ${describeAttempt(result)}; again in ${wait} ms`);
      tellPause(log, call.url, result, wait, passed);
      await clock.sleep(wait, signal);
    }
    // What may exist must be cancelled with the step, and only an answer names it: one more round, where it cannot make a second run.
    if (signal.aborted && unknown === undefined) signal.throwIfAborted();
    if (signal.aborted && !job.recognisesRepeats) throw submissionUnknown(job, key, unknown ?? '');
  }

  function accepted({ id, isNew }: Submission, { dateMs }: Answer): Submitted {
    const sentAt = dateMs === undefined ? {} : { sentAt: dateMs - (clock.now() - startedAt) };
    // A repeated submission that finds a run may have found its own.
    if (isNew === undefined || (!isNew && unknown !== undefined)) return { id, attempt, origin: 'created', ...sentAt };
    return { id, attempt, origin: isNew ? 'created' : 'found', isNew, ...sentAt };
  }

  async function supply(refusal: Answer): Promise<boolean> {
    return (
      (await job.supply?.(refusal, environment).catch((error: unknown) => {
        throw afterUnknown(error);
      })) === true
    );
  }

  /** Once a round may have made the run, no later failure may hide that. */
  function afterUnknown(error: unknown): unknown {
    if (unknown === undefined) return error;
    return submissionUnknown(
      job,
      key,
      error instanceof SubmitError ? `${unknown}. After that: ${error.message}` : unknown,
    );
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
  environment: SubmissionEnvironment,
): Promise<string | undefined> {
  const { client, grace } = environment;
  const look = async (): Promise<string | undefined> => {
    const found = await job.find?.(client, key, grace.lastTry);
    return found?.find((candidate) => candidate.attempt === attempt)?.id;
  };
  return lookRepeatedly(look, job.repeatable === true ? STATE_DELAYS_MS : LIST_DELAYS_MS, environment);
}

function submissionUnknown(job: Job, key: string, why: string): SubmitError {
  return new SubmitError('submission-unknown', {
    happened: `It is unknown whether the job was submitted: ${why}`,
    presented: [job.title, `submission key ${key}`],
    remedy: [
      'Retry the step: if the job exists, it is found by this key and attached to; if not, it is submitted.',
      ...(job.serverTimeoutSeconds === undefined
        ? []
        : [`If it exists and no step attaches, the service ends it after ${job.serverTimeoutSeconds} s.`]),
    ],
  });
}
