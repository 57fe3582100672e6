import { formatDuration } from '../clock.ts';
import { EXIT, exitCodeOf, SubmitError } from '../errors.ts';
import type { Host, Outputs } from '../host/host.ts';
import type { Report, ReportFact } from '../host/report.ts';
import { isSuccess, isTransient } from '../http/http.ts';
import type { Session } from '../identity/session.ts';
import { defined } from '../json.ts';
import { type Conclusion, type FailureCause, isOver, type RunLog, type RunStatus } from '../kind.ts';
import { plainLine } from '../remote-text.ts';
import type { BoundRun } from './bind.ts';
import type { Delivered } from './deliver/delivery-environment.ts';
import type { Grace } from './grace.ts';
import type { Narration } from './narration.ts';
import type { WatchEnd } from './watch.ts';

export interface EndingEnvironment {
  readonly bound: BoundRun;
  readonly host: Host;
  readonly session: Session;
  readonly grace: Grace;
  readonly narration: Narration;
  readonly delivered: Delivered;
  /** When the wait began, in ms. */
  readonly startedAt: number;
}

/** How long the last report and outputs may hold up the end of a step that was not cancelled. */
const SETTLE_MS = 15_000;
/** How long a cancellation may take, and the pause before it is tried a second time. */
const CANCEL_MS = 20_000;
const CANCEL_PAUSE_MS = 1_000;

/** Whose problem a failure is, for people. */
const CAUSES: Readonly<Record<FailureCause, string>> = {
  code: "the job's own code or configuration failed",
  infrastructure: "the service's infrastructure failed; running it again may help",
  quota: 'a quota or a lack of capacity stopped it',
  permission: 'the job lacked a permission',
  timeout: 'it took longer than it may',
};

/**
 * Turns the end of the wait into outputs, report and exit code.
 * @throws SubmitError `wait-deadline`, `wait-credential-ended`: the wait ended before the job did.
 */
export async function conclude(ending: WatchEnd, environment: EndingEnvironment): Promise<number> {
  switch (ending.end) {
    case 'over':
      return concludeOver(ending.status, ending.log, environment);
    case 'aborted':
      return concludeAborted(ending.status, environment);
    case 'deadline':
      throw await concludeDeadline(ending.status, environment);
    case 'credential':
      throw await concludeCredential(ending.status, environment);
  }
}

async function concludeOver(
  status: RunStatus,
  runLog: RunLog | undefined,
  environment: EndingEnvironment,
): Promise<number> {
  const { host, session, narration, startedAt } = environment;
  const { log } = host;
  const { clock } = session;
  const conclusion = await conclusionOf(status, runLog, environment);
  for (const note of conclusion.notes) {
    log.info(`${note.title}:`);
    log.remote(note.lines);
  }

  const took = formatDuration(clock.now() - startedAt);
  const failure = status.failure;
  const outputs: Outputs = {
    ...narration.baseOutputs,
    ...conclusion.outputs,
    result: status.phase,
    state: status.word,
    ...defined({ failure: failure?.cause, url: status.url }),
  };
  const summary = describeEnd(status, took);
  log.section('result', 'Result');
  if (status.phase === 'succeeded') log.success(summary);
  else log.error(summary);
  if (failure !== undefined && failure.message !== '') log.remote([plainLine(failure.message, 2_000)]);
  if (outputs.url !== undefined) log.info(log.link(outputs.url));
  for (const [name, value] of forPeople(conclusion.outputs)) log.info(`${name}: ${plainLine(value, 300)}`);

  const report: Omit<Report, 'title'> = {
    state: status.phase === 'succeeded' ? 'passed' : 'failed',
    summary,
    ...defined({ url: outputs.url }),
    facts: [...narration.baseFacts, { label: 'Duration', value: took }, ...outputFacts(conclusion.outputs)],
    remote: [
      ...(failure === undefined ? [] : [failure.message]),
      ...conclusion.notes.flatMap((note) => [`${note.title}:`, ...note.lines]),
    ],
  };
  await narration.ended(outputs, report, { forget: true, limit: AbortSignal.timeout(SETTLE_MS) });
  if (status.phase === 'succeeded') return EXIT.done;
  return status.phase === 'cancelled' ? EXIT.cancelledElsewhere : EXIT.jobFailed;
}

/** What is left to tell of a run: the rest of its log, and what its kind knows. */
async function conclusionOf(
  status: RunStatus,
  runLog: RunLog | undefined,
  { host, session, delivered }: EndingEnvironment,
): Promise<Conclusion> {
  try {
    const lines = (await runLog?.rest(session, status)) ?? [];
    const { outputs, notes } = await delivered.run.conclude(session, delivered.id, status);
    return {
      outputs,
      notes: [...(lines.length === 0 ? [] : [{ title: "The end of the run's log", lines }]), ...notes],
    };
  } catch (error) {
    const why =
      error instanceof SubmitError
        ? error.message
        : session.signal.aborted
          ? 'the step was cancelled'
          : 'a fault of keyless-submit; please report it';
    host.log.warning(`The job's output cannot be read: ${why}`);
    return { outputs: {}, notes: [] };
  }
}

function describeEnd(status: RunStatus, took: string): string {
  if (status.phase === 'succeeded') return `The job succeeded after ${took}`;
  if (status.phase === 'cancelled') return `Somebody cancelled the job (${plainLine(status.word, 80)}) after ${took}`;
  const cause = status.failure === undefined ? '' : `: ${CAUSES[status.failure.cause]}`;
  return `The job failed (${plainLine(status.word, 80)}) after ${took}${cause}`;
}

/** Structured outputs are for programs, and the error was shown whole. */
function forPeople(outputs: Outputs): readonly (readonly [string, string])[] {
  return Object.entries(outputs).filter(([name, value]) => name !== 'error' && !/^[[{]/.test(value));
}

function outputFacts(outputs: Outputs): readonly ReportFact[] {
  return forPeople(outputs).map(([label, value]) => {
    const url = /^https:\/\/\S+$/.test(value) ? { url: value } : {};
    return { label, value: plainLine(value, 200), ...url };
  });
}

async function concludeAborted(status: RunStatus | undefined, environment: EndingEnvironment): Promise<number> {
  const { bound, delivered, host, grace, narration, session } = environment;
  const { signal } = session;
  const { log } = host;
  log.section('cancel', `The step was cancelled (${String(signal.reason)})`);
  const detach = bound.values['on-cancel'] === 'detach';
  // Between the success of a run and what is left to do then, there is nothing to cancel.
  const over = status !== undefined && isOver(status);
  const cancelled = detach || over ? undefined : await cancelRun(environment, grace.cancel);
  const left = over
    ? `${delivered.id} had ended (${plainLine(status.word, 80)}), and what was to be done at its end may not be`
    : `${delivered.id} keeps running (${host.spell('on-cancel')}: detach)`;
  const what = cancelled?.sentence ?? left;
  const summary = `The step was cancelled; ${what}`;
  log.warning(summary);
  if (detach) for (const line of narration.followUp) log.info(line);
  // What could not be cancelled is left for the second chance.
  await tellUnfinished(summary, status, environment, { forget: cancelled?.done ?? true, limit: grace.settle });
  return exitCodeOf(signal);
}

async function concludeDeadline(status: RunStatus | undefined, environment: EndingEnvironment): Promise<SubmitError> {
  const { bound, delivered, host, narration } = environment;
  const cancel = bound.values['on-cancel'] === 'cancel';
  const cancelled = cancel ? await cancelRun(environment, AbortSignal.timeout(CANCEL_MS)) : undefined;
  const outcome = cancelled?.sentence ?? `${delivered.id} keeps running (${host.spell('on-cancel')}: detach)`;
  const happened = `The job is not over after ${formatDuration(bound.waitSeconds * 1000)}; ${outcome}`;
  // What could not be cancelled is left for the second chance.
  const last = { forget: cancelled?.done ?? true, limit: AbortSignal.timeout(SETTLE_MS) };
  await tellUnfinished(happened, status, environment, last);
  return new SubmitError('wait-deadline', {
    happened,
    presented: describeState(status),
    expected: ['an end within «timeout»'],
    remedy: [
      status?.phase === 'queued'
        ? 'It had not begun: see to what it waits for, or raise «timeout» if that is a matter of time.'
        : 'Raise «timeout» if the job needs longer.',
      ...(cancel ? [] : narration.followUp),
    ],
  });
}

async function concludeCredential(status: RunStatus | undefined, environment: EndingEnvironment): Promise<SubmitError> {
  const { delivered, narration } = environment;
  const happened = `This step's credential is about to end and the CI gives no second token; ${delivered.id} keeps running`;
  await tellUnfinished(happened, status, environment, { forget: true, limit: AbortSignal.timeout(SETTLE_MS) });
  return new SubmitError('wait-credential-ended', {
    happened,
    presented: describeState(status),
    expected: ['a job that ends while the credential lasts, or a later step that continues the wait'],
    remedy: narration.followUp,
  });
}

function describeState(status: RunStatus | undefined): readonly string[] {
  const detail = status?.detail === undefined ? [] : [plainLine(status.detail, 300)];
  return [`state ${plainLine(status?.word ?? 'unknown', 80)}`, ...detail];
}

/** Cancels with one request, and one more if the first failed and time is left. */
async function cancelRun(
  { bound, delivered, session }: EndingEnvironment,
  limit: AbortSignal,
): Promise<{ readonly done: boolean; readonly sentence: string }> {
  const { id, run } = delivered;
  const { cancellation } = run;
  if (cancellation === undefined) return { done: true, sentence: `${id} cannot be taken back` };
  const { clock, log } = session;
  const call = cancellation.call(id);
  let why = '';
  try {
    for (let round = 1; round <= 2; round += 1) {
      const result = await session.until(limit).attempt(call);
      if (result.kind === 'answer' && isSuccess(result)) {
        const refusal = cancellation.refusal(result);
        if (refusal === undefined) return { done: true, sentence: `the cancellation of ${id} was accepted` };
        if (refusal.isFinal) return { done: true, sentence: `${id} was not cancelled: ${refusal.reason}` };
        why = ` (${refusal.reason})`;
      } else if (result.kind === 'answer' && !isTransient(result.status)) {
        const { message } = bound.plan.access.explain(call, result);
        return { done: true, sentence: `${id} was not cancelled: ${message}` };
      }
      if (round === 1) await clock.sleep(CANCEL_PAUSE_MS, limit);
    }
  } catch (error) {
    log.debug(`cancelling: ${error instanceof Error ? plainLine(error.message, 200) : 'failed'}`);
  }
  const byHand = `${id} could not be cancelled in time${why}; cancel it by hand: ${cancellation.command(id)}`;
  return { done: false, sentence: byHand };
}

async function tellUnfinished(
  summary: string,
  status: RunStatus | undefined,
  { narration }: EndingEnvironment,
  last: { readonly forget: boolean; readonly limit: AbortSignal },
): Promise<void> {
  const url = status?.url ?? narration.baseOutputs.url;
  const outputs = {
    ...narration.baseOutputs,
    ...status?.outputs,
    result: 'unfinished',
    ...defined({ url, state: status?.word }),
  };
  const report = {
    state: 'failed',
    summary,
    ...defined({ url }),
    facts: narration.baseFacts,
    ...(status?.detail === undefined ? {} : { remote: [status.detail] }),
  } as const;
  await narration.ended(outputs, report, last);
}
