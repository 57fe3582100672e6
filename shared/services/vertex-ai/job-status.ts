import { defined, entryOf, type Json, numberAt, objectAt, textAt } from '../../json.ts';
import type { FailureCause, Phase, RunStatus } from '../../kind.ts';
import { plainLine } from '../../remote-text.ts';

// https://cloud.google.com/vertex-ai/docs/reference/rest/v1/JobState
const PHASES: Readonly<Record<string, Phase>> = {
  JOB_STATE_UNSPECIFIED: 'queued',
  JOB_STATE_QUEUED: 'queued',
  JOB_STATE_PENDING: 'queued',
  JOB_STATE_RUNNING: 'running',
  JOB_STATE_UPDATING: 'running',
  JOB_STATE_PAUSED: 'running',
  JOB_STATE_CANCELLING: 'running',
  JOB_STATE_SUCCEEDED: 'succeeded',
  JOB_STATE_PARTIALLY_SUCCEEDED: 'failed',
  JOB_STATE_FAILED: 'failed',
  JOB_STATE_EXPIRED: 'failed',
  JOB_STATE_CANCELLED: 'cancelled',
};

/** Reads a job of any collection whose state is a JobState. A state that is not known counts as running; none at all means that the service has not decided yet. */
export function readJob(job: Json): RunStatus {
  const word = textAt(job, 'state') ?? 'JOB_STATE_UNSPECIFIED';
  const phase = entryOf(PHASES, word) ?? 'running';
  const error = objectAt(job, 'error');
  const message = textAt(error, 'message') ?? '';
  return {
    phase,
    word: plainLine(word, 80),
    parts: [],
    source: job,
    ...defined({
      ending: word === 'JOB_STATE_CANCELLING' || undefined,
      failure: phase === 'failed' ? { cause: causeOf(word, numberAt(error, 'code'), message), message } : undefined,
    }),
  };
}

/** The reason stands at the beginning of a message. */
const TELLING_PART = 2_000;

// google.rpc.Code: the job's error names a kind of failure, not an HTTP status.
const CAUSES_BY_CODE: Readonly<Record<number, FailureCause>> = {
  4: 'timeout',
  7: 'permission',
  8: 'quota',
  10: 'infrastructure',
  13: 'infrastructure',
  14: 'infrastructure',
  16: 'permission',
};

function causeOf(word: string, code: number | undefined, whole: string): FailureCause {
  const message = whole.slice(0, TELLING_PART);
  // Whatever its code, a replica's own exit status is the user's program speaking, and memory is what the program took.
  if (/exited with a non-zero status|low on memory/i.test(message)) return 'code';
  if (word === 'JOB_STATE_EXPIRED') return 'timeout';
  if (/quota|insufficient capacity|resources are insufficient|stockout/i.test(message)) return 'quota';
  if (/permission|does not have .{0,200} access|forbidden/i.test(message)) return 'permission';
  return CAUSES_BY_CODE[code ?? -1] ?? 'code';
}
