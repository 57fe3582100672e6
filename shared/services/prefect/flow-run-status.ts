import { defined, entryOf, type Json, numberAt, objectAt, textAt } from '../../json.ts';
import type { FailureCause, Phase, RunStatus } from '../../kind.ts';
import { plainLine } from '../../remote-text.ts';

// The state's type decides; its name only tells more. https://docs.prefect.io/v3/concepts/states
const PHASES: Readonly<Record<string, Phase>> = {
  SCHEDULED: 'queued',
  PENDING: 'queued',
  RUNNING: 'running',
  PAUSED: 'running',
  CANCELLING: 'running',
  COMPLETED: 'succeeded',
  FAILED: 'failed',
  CRASHED: 'failed',
  CANCELLED: 'cancelled',
};

/** What a flow run's answer says. */
export function readFlowRun(run: Json, url: string): RunStatus {
  const state = objectAt(run, 'state');
  const type = textAt(state, 'type') ?? textAt(run, 'state_type') ?? '';
  const name = textAt(state, 'name') ?? textAt(run, 'state_name') ?? type;
  const message = textAt(state, 'message') ?? '';
  const refused = type === 'CANCELLED' && /^Deployment concurrency limit reached/.test(message);
  const phase: Phase = refused ? 'failed' : (entryOf(PHASES, type) ?? 'running');
  const cause: FailureCause = refused
    ? 'quota'
    : type === 'CRASHED'
      ? 'infrastructure'
      : name === 'TimedOut'
        ? 'timeout'
        : 'code';
  const detail = phase === 'queued' || phase === 'running' ? detailOf(run, type, name, message) : undefined;
  const startedAt = Date.parse(textAt(run, 'start_time') ?? '');
  return {
    phase,
    word: plainLine(name, 80),
    parts: [],
    source: run,
    url,
    ending: type === 'CANCELLING',
    isLate: isLate(run),
    ...defined({
      detail,
      failure: phase === 'failed' ? { cause, message } : undefined,
      startedAt: Number.isNaN(startedAt) ? undefined : startedAt,
    }),
  };
}

/** How long after its time a run that has not begun is worth a look at who should begin it. */
const LATE_SECONDS = 30;

/** Whether nobody has taken up the run although it is due. The server reckons the delay by its own clock. */
function isLate(run: Json): boolean {
  const state = objectAt(run, 'state');
  if (textAt(state, 'type') !== 'SCHEDULED') return false;
  const name = textAt(state, 'name');
  return name === 'Late' || (name === 'Scheduled' && (numberAt(run, 'estimated_start_time_delta') ?? 0) > LATE_SECONDS);
}

function detailOf(run: Json, type: string, name: string, message: string): string | undefined {
  // A message that only says the state again tells nothing.
  const parts = [explanationOf(run, type, name), message === name ? '' : plainLine(message, 160)];
  return parts.filter((part) => part !== '').join('; ') || undefined;
}

function explanationOf(run: Json, type: string, name: string): string {
  if (name === 'AwaitingConcurrencySlot')
    return 'waits for a free slot: the concurrency limit of the deployment, its pool or its queue is reached';
  if (name === 'AwaitingRetry') return `failed ${numberAt(run, 'run_count') ?? 1} time(s) and is tried again${at(run)}`;
  if (name === 'Suspended' || name === 'Paused') return 'waits for somebody to resume it on its page';
  if (name === 'InfrastructurePending') return 'its infrastructure is being started';
  return name === 'Scheduled' && type === 'SCHEDULED' && isForLater(run) ? `starts${at(run)}` : '';
}

/** Whether the run was asked for a time of its own, and not for at once. */
function isForLater(run: Json): boolean {
  const time = Date.parse(textAt(objectAt(objectAt(run, 'state'), 'state_details'), 'scheduled_time') ?? '');
  return time - Date.parse(textAt(run, 'created') ?? '') > LATE_SECONDS * 1000;
}

function at(run: Json): string {
  const time = textAt(objectAt(objectAt(run, 'state'), 'state_details'), 'scheduled_time');
  return time === undefined ? '' : ` at ${plainLine(time.replace(/\.\d+/, ''), 40)}`;
}
