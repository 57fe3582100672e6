import { bindRun } from './bind-run.ts';
import { SubmitError } from './errors.ts';
import type { RunningJob } from './host.ts';
import type { CredentialSource } from './identity/credential.ts';
import type { Json } from './json.ts';
import { withRedaction } from './redaction.ts';
import type { RunEnvironment } from './run.ts';
import { createServiceClient } from './service-client.ts';

/** How long the second chance may take: later hooks share the CI's grace. */
const BUDGET_MS = 4_000;

/**
 * Cancels a job that a killed step left running, under a new credential, and says what came of it.
 * Settings are those of the step, but that the job is attached to.
 */
export async function cancelRemembered({ kind, id }: RunningJob, environment: RunEnvironment): Promise<void> {
  const { clock } = environment;
  const host = withRedaction(environment.host);
  const { log } = host;
  const http = environment.http.reportingTo(log);
  log.section('Cancel the job that the step left running');
  const settings = new Map<string, Json>([...host.settings, ['attach', id]]);
  if (settings.get('job') !== kind) return;
  const signal = AbortSignal.timeout(BUDGET_MS);
  let release: CredentialSource['release'];
  try {
    const { job, values } = await bindRun({ ...environment, host: { ...host, settings } });
    if (values['on-cancel'] === 'detach') {
      log.info(`${id} goes on (${host.spell('on-cancel')}: detach)`);
      return;
    }
    const { cancellation } = job;
    if (cancellation === undefined) return;
    const exchange = { http, clock, log, subjectTokens: host.subjectTokens, conceal: host.conceal };
    const credential = job.credential(exchange);
    release = credential.release;
    const client = createServiceClient(http, credential, job.explain);
    const result = await client.attempt(cancellation.call(id), signal);
    const accepted = result.kind === 'answer' && result.status < 300;
    const refusal = accepted ? cancellation.refusal?.(result) : undefined;
    if (accepted && refusal === undefined) log.success(`The cancellation of ${id} was accepted`);
    else if (refusal?.isFinal === true) log.warning(`${id} was not cancelled: ${refusal.reason}`);
    else log.warning(`${id} may still be running; cancel it by hand: ${cancellation.command(id)}`);
  } catch (error) {
    log.warning(
      `${id} may still be running: ${error instanceof SubmitError ? error.message : 'it could not be cancelled in time'}`,
    );
  } finally {
    await release?.(signal);
  }
}
