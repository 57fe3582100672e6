import { formatDuration } from '../clock.ts';
import { EXIT, exitCodeOf, SubmitError } from '../errors.ts';
import type { Host, Outputs } from '../host/host.ts';
import type { ReportFact } from '../host/report.ts';
import { isSuccess, isTransient } from '../http/http.ts';
import type { Session } from '../identity/session.ts';
import { type Conclusion, type FailureCause, isOver, type RunLog, type RunStatus } from '../kind.ts';
import { plainLine } from '../remote-text.ts';
import type { BoundRun } from './bind.ts';
import type { Delivered } from './deliver/delivery-environment.ts';
import type { Grace } from './grace.ts';
import type { Narration } from './narration.ts';
import type { WatchEnd } from './watch.ts';

interface EndingEnvironment {
  readonly bound: BoundRun;
  readonly host: Host;
  readonly session: Session;
  readonly grace: Grace;
  readonly narration: Narration;
  readonly delivered: Delivered;
  /** When the wait began, in ms. */
  readonly startedAt: number;
}

/** What became of a job that is left before its end. Where that is not `done`, a second chance may cancel it. */
interface Left {
  readonly done: boolean;
  readonly sentence: string;
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
  const { host, session, narration, delivered, startedAt } = environment;
  const { log } = host;
  const { phase, failure } = status;
  const { outputs, notes } = await conclusionOf(status, runLog, environment);
  for (const note of notes) {
    log.info(`${note.title}:`);
    log.remote(note.lines);
  }

  const took = formatDuration(session.clock.now() - startedAt);
  const summary = describeEnd(status, took);
  log.section('result', 'Result');
  if (phase === 'succeeded') log.success(summary);
  else log.error(summary);
  if (failure !== undefined && failure.message !== '') log.remote([plainLine(failure.message, 2_000)]);
  const url = status.url ?? outputs.url ?? delivered.run.url(delivered.id);
  if (url !== undefined) log.info(log.link(url));
  for (const [name, value] of forPeople(outputs)) log.info(`${name}: ${plainLine(value, 300)}`);

  await narration.ended({
    status,
    result: phase,
    summary,
    outputs,
    facts: [{ label: 'Duration', value: took }, ...outputFacts(outputs)],
    remote: [
      ...(failure === undefined ? [] : [failure.message]),
      ...notes.flatMap((note) => [`${note.title}:`, ...note.lines]),
    ],
    forget: true,
    limit: AbortSignal.timeout(SETTLE_MS),
  });
  if (phase === 'succeeded') return EXIT.done;
  return phase === 'cancelled' ? EXIT.cancelledElsewhere : EXIT.jobFailed;
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
  // Between the success of a run and what is left to do then, there is nothing to cancel.
  const left =
    status !== undefined && isOver(status)
      ? {
          done: true,
          sentence: `${delivered.id} had ended (${plainLine(status.word, 80)}), and what was to be done at its end may not be`,
        }
      : await leaveRun(environment, grace.cancel);
  const summary = `The step was cancelled; ${left.sentence}`;
  log.warning(summary);
  if (bound.values['on-cancel'] === 'detach') for (const line of narration.followUp) log.info(line);
  await tellUnfinished(summary, status, environment, left.done, grace.settle);
  return exitCodeOf(signal);
}

async function concludeDeadline(status: RunStatus | undefined, environment: EndingEnvironment): Promise<SubmitError> {
  const { bound, narration } = environment;
  const left = await leaveRun(environment, AbortSignal.timeout(CANCEL_MS));
  const happened = `The job is not over after ${formatDuration(bound.waitSeconds * 1000)}; ${left.sentence}`;
  await tellUnfinished(happened, status, environment, left.done);
  return new SubmitError('wait-deadline', {
    happened,
    presented: describeState(status),
    expected: ['an end within «timeout»'],
    remedy: [
      status?.phase === 'queued'
        ? 'It had not begun: see to what it waits for, or raise «timeout» if that is a matter of time.'
        : 'Raise «timeout» if the job needs longer.',
      ...(bound.values['on-cancel'] === 'cancel' ? [] : narration.followUp),
    ],
  });
}

async function concludeCredential(status: RunStatus | undefined, environment: EndingEnvironment): Promise<SubmitError> {
  const { delivered, narration } = environment;
  const happened = `This step's credential is about to end and the CI gives no second token; ${delivered.id} keeps running`;
  await tellUnfinished(happened, status, environment, true);
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

/** Leaves a job as the user wants it: running, or cancelled with one request, and one more if the first failed and time is left. */
async function leaveRun({ bound, delivered, host, session }: EndingEnvironment, limit: AbortSignal): Promise<Left> {
  const { id, run } = delivered;
  if (bound.values['on-cancel'] === 'detach')
    return { done: true, sentence: `${id} keeps running (${host.spell('on-cancel')}: detach)` };
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

function tellUnfinished(
  summary: string,
  status: RunStatus | undefined,
  { narration }: EndingEnvironment,
  forget: boolean,
  limit = AbortSignal.timeout(SETTLE_MS),
): Promise<void> {
  const { outputs, detail } = status ?? {};
  const remote = detail === undefined ? undefined : [detail];
  return narration.ended({ status, result: 'unfinished', summary, outputs, facts: [], remote, forget, limit });
}
