import { type Clock, formatDuration } from '../clock.ts';
import { SubmitError } from '../errors.ts';
import type { Log } from '../host/host.ts';
import type { CredentialSource } from '../identity/credential.ts';
import type { Session } from '../identity/session.ts';
import { isOver, type Run, type RunLog, type RunStatus } from '../kind.ts';
import { plainLine } from '../remote-text.ts';

/** How a watch ended, with what the run has yet to write. */
export type WatchEnd = { readonly log: RunLog | undefined } & (
  | { readonly end: 'over'; readonly status: RunStatus }
  | { readonly end: 'aborted' | 'deadline' | 'credential'; readonly status: RunStatus | undefined }
);

interface WatchEnvironment {
  readonly session: Session;
  readonly credential: CredentialSource;
  /** Milliseconds since the epoch at which the wait ends. */
  readonly deadline: number;
  /** Whether this step made the run: it may then be unknown to reads for a moment. */
  readonly isNew: boolean;
  /** Called when the phase changes, with the first status too. */
  readonly onPhase: (status: RunStatus) => void;
}

const SHORTEST_POLL_MS = 1_000;
const LONGEST_POLL_MS = 30_000;
const FIRST_HEARTBEAT_MS = 60_000;
const LONGEST_HEARTBEAT_MS = 1_800_000;
/** How long a service may be out of reach before the wait gives up. */
const LOST_CONTACT_MS = 600_000;
/** The same where waiting does not help as a rule: a proxy or a certificate that worked before may be changing just now. */
const OBSTACLE_MS = 60_000;
/** A new run may be unknown to reads for a moment. */
const VISIBLE_AFTER_MS = 60_000;
/** Before the last credential ends, enough time to say so. */
const CREDENTIAL_MARGIN_MS = 30_000;

/** After so many looks at a late run, it is asked again what it waits for. */
const LATE_LOOKS = 20;

/** Milliseconds between looks: a twentieth of the time that has passed, within bounds. */
export function pollInterval(elapsedMs: number): number {
  return Math.min(Math.max(elapsedMs / 20, SHORTEST_POLL_MS), LONGEST_POLL_MS);
}

/**
 * Looks at a run until it is over, or the wait must end before. States that are not known count as running.
 * @throws SubmitError when the service refuses to be asked, or was out of reach for ten minutes.
 */
export async function watch(run: Run, id: string, environment: WatchEnvironment): Promise<WatchEnd> {
  const { session, credential, deadline, isNew, onPhase } = environment;
  const { clock, log, signal } = session;
  const startedAt = clock.now();
  const print = statusPrinter(log, clock, startedAt);
  const runLog = run.log?.(id);
  const look = looksAt(run, id, session);
  let status: RunStatus | undefined;
  let lastContact = startedAt;
  let isToldLost = false;
  const ended = (end: 'aborted' | 'deadline' | 'credential'): WatchEnd => ({ end, status, log: runLog });

  for (;;) {
    if (signal.aborted) return ended('aborted');
    try {
      const next = await look();
      lastContact = clock.now();
      isToldLost = false;
      if (next.phase !== status?.phase) onPhase(next);
      print(next);
      status = next;
      const lines = next.phase === 'queued' ? [] : ((await runLog?.next(session)) ?? []);
      if (lines.length > 0) log.remote(lines);
      if (isOver(next)) return { end: 'over', status: next, log: runLog };
    } catch (error) {
      if (signal.aborted) return ended('aborted');
      const now = clock.now();
      const isLasting = error instanceof SubmitError && error.explanation.lasting === true;
      const limit = isLasting ? OBSTACLE_MS : LOST_CONTACT_MS;
      if (!isPassing(error, isNew && now - startedAt < VISIBLE_AFTER_MS) || now - lastContact > limit) throw error;
      if (!isToldLost)
        log.warning(`${elapsed(now - startedAt)} lost contact, still trying: ${(error as SubmitError).message}`);
      isToldLost = true;
    }
    const now = clock.now();
    if (now >= deadline) return ended('deadline');
    const credentialEnd = credential.lastsUntil();
    if (credentialEnd !== undefined && now >= credentialEnd - CREDENTIAL_MARGIN_MS) return ended('credential');
    await clock.sleep(Math.min(pollInterval(now - startedAt), deadline - now), signal);
  }
}

/** Looks at a run; at one that is late also, now and then, at why. */
function looksAt(run: Run, id: string, session: Session): () => Promise<RunStatus> {
  let lateLooks = 0;
  let why: string | undefined;
  return async () => {
    const status = await run.status(session, id);
    if (status.isLate !== true) return status;
    if (lateLooks % LATE_LOOKS === 0) why = await run.whyLate?.(session, status);
    lateLooks += 1;
    const detail = [why, status.detail].filter((part) => part !== undefined).join('; ');
    return detail === '' ? status : { ...status, detail };
  };
}

function isPassing(error: unknown, mayBeUnseen: boolean): boolean {
  if (!(error instanceof SubmitError)) return false;
  if (error.code === 'not-found') return mayBeUnseen;
  return error.code === 'service-unavailable' || error.code === 'rate-limited' || error.code === 'unreadable-answer';
}

/** Prints each change once, and on long states a heartbeat that grows rarer. */
function statusPrinter(log: Log, clock: Clock, startedAt: number): (status: RunStatus) => void {
  const seen = new Map<string, string>();
  let lastPrint = startedAt;
  let heartbeat = FIRST_HEARTBEAT_MS;

  return (status) => {
    const now = clock.now();
    const lines: string[] = [];
    const text = status.detail === undefined ? status.word : `${status.word} · ${status.detail}`;
    if (seen.get('') !== text) lines.push(`${status.phase.padEnd(9)} ${plainLine(text, 300)}`);
    seen.set('', text);
    // A run with one task says the same twice.
    if (status.parts.length > 1) {
      for (const part of status.parts) {
        if (seen.get(part.name) !== part.word)
          lines.push(`  ${plainLine(part.name, 100)}: ${plainLine(part.word, 60)}`);
        seen.set(part.name, part.word);
      }
    }
    if (lines.length > 0) heartbeat = FIRST_HEARTBEAT_MS;
    else if (now - lastPrint >= heartbeat) {
      lines.push(`still ${status.phase} (${plainLine(status.word, 60)})`);
      heartbeat = Math.min(heartbeat * 2, LONGEST_HEARTBEAT_MS);
    }
    if (lines.length > 0) lastPrint = now;
    for (const line of lines) log.info(`${elapsed(now - startedAt)} ${line}`);
  };
}

function elapsed(ms: number): string {
  return formatDuration(ms).padStart(7);
}
