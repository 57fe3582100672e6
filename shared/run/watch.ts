import { type Clock, formatDuration } from '../clock.ts';
import { SubmitError } from '../errors.ts';
import type { Log } from '../host/host.ts';
import type { CredentialSource } from '../identity/credential.ts';
import type { ServiceClient } from '../identity/service-client.ts';
import { isOver, type Job, type RunStatus } from '../kind.ts';
import { plainLine } from '../remote-text.ts';

export type WatchEnd =
  | { readonly end: 'over'; readonly status: RunStatus }
  | { readonly end: 'aborted' | 'deadline' | 'credential'; readonly status: RunStatus | undefined };

export interface WatchEnvironment {
  readonly client: ServiceClient;
  readonly credential: CredentialSource;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
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

/** Milliseconds between looks: a twentieth of the time that has passed, within bounds. */
export function pollInterval(elapsedMs: number): number {
  return Math.min(Math.max(elapsedMs / 20, SHORTEST_POLL_MS), LONGEST_POLL_MS);
}

/**
 * Looks at a run until it is over, or the wait must end before. States that are not known count as running.
 * @throws SubmitError when the service refuses to be asked, or was out of reach for ten minutes.
 */
export async function watch(job: Job, id: string, environment: WatchEnvironment): Promise<WatchEnd> {
  const { client, credential, clock, log, signal, deadline, isNew, onPhase } = environment;
  const startedAt = clock.now();
  const print = statusPrinter(log, clock, startedAt);
  let status: RunStatus | undefined;
  let lastContact = startedAt;
  let toldLost = false;

  for (;;) {
    if (signal.aborted) return { end: 'aborted', status };
    try {
      const next = await job.status(client, id, signal);
      lastContact = clock.now();
      toldLost = false;
      if (next.phase !== status?.phase) onPhase(next);
      print(next);
      if (next.newLines !== undefined && next.newLines.length > 0) log.remote(next.newLines);
      status = next;
      if (isOver(status)) return { end: 'over', status };
    } catch (error) {
      if (signal.aborted) return { end: 'aborted', status };
      const now = clock.now();
      const lasting = error instanceof SubmitError && error.explanation.lasting === true;
      const limit = lasting ? OBSTACLE_MS : LOST_CONTACT_MS;
      if (!isPassing(error, isNew && now - startedAt < VISIBLE_AFTER_MS) || now - lastContact > limit) throw error;
      if (!toldLost)
        log.warning(`${elapsed(now - startedAt)} cannot see the job for now: ${(error as SubmitError).message}`);
      toldLost = true;
    }
    const now = clock.now();
    if (now >= deadline) return { end: 'deadline', status };
    const credentialEnd = credential.lastsUntil();
    if (credentialEnd !== undefined && now >= credentialEnd - CREDENTIAL_MARGIN_MS)
      return { end: 'credential', status };
    await clock.sleep(Math.min(pollInterval(now - startedAt), deadline - now), signal);
  }
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
