import { requireOutputsFile, resolveAttachment } from './attach.ts';
import { type BindEnvironment, type BoundRun, bindRun } from './bind-run.ts';
import type { Clock } from './clock.ts';
import { showDryRun } from './dry-run.ts';
import { conclude } from './ending.ts';
import { exitCodeOf, SubmitError } from './errors.ts';
import { explainToUser } from './explain-to-user.ts';
import { createGrace, type Grace } from './grace.ts';
import type { Host } from './host.ts';
import type { Http } from './http.ts';
import { createNarration } from './narration.ts';
import { withRedaction } from './redaction.ts';
import { plainLine } from './remote-text.ts';
import { createServiceClient } from './service-client.ts';
import { submissionKey } from './submission-key.ts';
import { submitOnce } from './submit.ts';
import { watch } from './watch.ts';

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
  const environment = { ...given, host: withRedaction(given.host) };
  const { host, signal } = environment;
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
    if (!signal.aborted) throw error;
    host.log.warning('The step was cancelled before anything was submitted.');
    return exitCodeOf(signal);
  }
}

async function submitAndWait(bound: BoundRun, environment: RunEnvironment): Promise<number> {
  const { host, clock, signal } = environment;
  const { job, values } = bound;
  const grace = createGrace(signal);
  const { credential, client, submitted, key } = await submit(bound, environment, grace).catch((error: unknown) =>
    reportFailure(error, bound, environment),
  );
  const startedAt = clock.now();
  const narration = createNarration(bound, host, submitted, key);
  await narration.submitted();
  if (!values.wait && !signal.aborted) return narration.left();

  const deadline = startedAt + bound.waitSeconds * 1000;
  narration.waiting({ now: startedAt, deadline, credentialEnd: credential.lastsUntil() });
  const { log } = host;
  const isNew = submitted.origin === 'created';
  const watching = { client, credential, clock, log, signal, deadline, isNew, onPhase: narration.phase };
  const ending = await watch(job, submitted.id, watching).catch(narration.lost);
  return conclude(ending, { bound, host, client, clock, signal, grace, narration, submitted, startedAt });
}

async function submit(bound: BoundRun, environment: RunEnvironment, grace: Grace) {
  const { host, http, clock, signal } = environment;
  const { job, values } = bound;
  const { log, context } = host;

  log.section(`Identity: ${job.identity}`);
  const exchange = { http, clock, log, subjectTokens: host.subjectTokens, conceal: host.conceal };
  const credential = job.credential(exchange);
  const obtaining = credential.get(signal);
  // The connection to the service is made while the token is exchanged.
  http.warm(job.origin);
  await obtaining;
  const client = createServiceClient(http, credential, job.explain);

  log.section(`${job.payload === undefined ? 'Attach' : 'Submit'}: ${job.title}`);
  if (job.payload === undefined) {
    const submitted = await resolveAttachment(values.attach ?? '', bound.kind, job, client, environment);
    return { credential, client, submitted, key: undefined };
  }
  const key = submissionKey(context, bound.kind.id, job.payload);
  const submitted = await submitOnce(job, job.payload, key, {
    client,
    clock,
    log,
    context,
    signal,
    grace,
    previousAttempt: (wanted) => previousAttempt(host, wanted),
  });
  return { credential, client, submitted, key };
}

/** The attempt that an earlier run of this step published, if it was at the same submission. */
async function previousAttempt(host: Host, key: string): Promise<number | undefined> {
  const outputs = await host.previousOutputs();
  const attempt = Number(outputs?.attempt);
  return outputs?.['submission-key'] === key && Number.isSafeInteger(attempt) && attempt > 0 ? attempt : undefined;
}

/** Shows in the report that the step ended before there was a job to wait for, and passes the error on. */
async function reportFailure(
  error: unknown,
  { kind, job }: BoundRun,
  { host, signal }: RunEnvironment,
): Promise<never> {
  if (error instanceof SubmitError && !signal.aborted) {
    const facts = [
      { label: 'Commit', value: host.context.commit },
      { label: 'Identity', value: job.identity },
    ];
    const summary = `${error.code}: ${error.message}`;
    const report = { title: `${kind.title}: ${job.title}`, state: 'failed', summary, facts } as const;
    await host.report(report).catch((fault: unknown) => {
      host.log.warning(
        `The report failed: ${plainLine(fault instanceof Error ? fault.message : 'unknown fault', 300)}`,
      );
    });
  }
  throw error;
}
