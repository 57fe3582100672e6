import { SubmitError } from '../errors.ts';
import type { RememberedJob, SentJob } from '../host/host.ts';
import { withRedaction } from '../host/redaction.ts';
import { isSuccess } from '../http/http.ts';
import type { CredentialSource } from '../identity/credential.ts';
import { openSession, type Session } from '../identity/session.ts';
import type { Json } from '../json.ts';
import type { Run } from '../kind.ts';
import { bindRun } from './bind.ts';
import type { RunEnvironment } from './run.ts';

/** How long the second chance may take: later hooks share the CI's grace. */
const BUDGET_MS = 4_000;
/** How long a job that does not show up is looked for: some services list a new one late. */
const LOOK_MS = 2_500;
const LOOK_PAUSE_MS = 500;
/** How long ending the credential may take on top. */
const RELEASE_MS = 1_000;

/** What is known so far, for the case that the time runs out. */
interface Progress {
  credential?: CredentialSource;
  /** The shell command that cancels the job. */
  byHand?: string;
}

/**
 * Cancels the job that a killed step left behind, under a new credential, and says what came of it. A submission that was not
 * answered is looked for by its key. It takes five seconds at most and never rejects.
 */
export async function cancelRemembered(remembered: RememberedJob, environment: RunEnvironment): Promise<void> {
  const host = withRedaction(environment.host);
  if (host.settings.get('job') !== remembered.kind) return;
  host.log.section('cancel', 'Cancel the job that the step left running');
  const limit = AbortSignal.timeout(BUDGET_MS);
  const timeIsUp = new Promise<never>((_resolve, reject) => {
    limit.addEventListener('abort', () => reject(limit.reason), { once: true });
  });
  const progress: Progress = {};
  try {
    const http = environment.http.reportingTo(host.log);
    await Promise.race([cancel(remembered, { ...environment, host, http }, progress, limit), timeIsUp]);
  } catch (error) {
    const byHand = progress.byHand === undefined ? '' : `; cancel it by hand: ${progress.byHand}`;
    host.log.warning(`${mayExist(remembered)} (${reasonOf(error)})${byHand}`);
  }
  const released = progress.credential?.release?.(AbortSignal.timeout(RELEASE_MS)).catch(() => undefined);
  await Promise.race([released, environment.clock.sleep(RELEASE_MS)]);
}

async function cancel(
  remembered: RememberedJob,
  { host, ...environment }: RunEnvironment,
  progress: Progress,
  limit: AbortSignal,
): Promise<void> {
  const { clock, http } = environment;
  const { log, subjectTokens, conceal } = host;
  const known = 'id' in remembered ? remembered.id : undefined;
  // Nothing is submitted any more: a job whose id is known is attached to.
  const settings = known === undefined ? host.settings : new Map<string, Json>([...host.settings, ['attach', known]]);
  const { plan, values } = await bindRun({ ...environment, host: { ...host, settings } });
  const { access, run } = plan;
  const { cancellation } = run;
  if (cancellation === undefined) return;
  if (values['on-cancel'] === 'detach') {
    log.info(`The job keeps running (${host.spell('on-cancel')}: detach)`);
    return;
  }
  const exchange = { http, clock, log, subjectTokens, conceal };
  progress.credential = access.credential(exchange);
  const session = openSession(exchange, progress.credential, access.explain, limit);
  const id = 'key' in remembered ? await findSent(remembered, run, session) : known;
  if (id === undefined) {
    const why = run.find === undefined ? 'this service cannot be searched for it' : 'it does not show up so far';
    log.warning(`${mayExist(remembered)}; ${why}`);
    log.info('If it exists, a retry of this step finds it and attaches to it.');
    log.info(`To cancel it instead, look up its id at the service: ${cancellation.command('ID')}`);
    return;
  }
  // Only an id in the kind's own form is printed or sent.
  if (run.readReference(id) !== id) throw new TypeError(`not an id of ${remembered.kind}`);
  progress.byHand = cancellation.command(id);
  const result = await session.attempt(cancellation.call(id));
  const accepted = result.kind === 'answer' && isSuccess(result);
  const refusal = accepted ? cancellation.refusal(result) : undefined;
  if (accepted && refusal === undefined) log.success(`The cancellation of ${id} was accepted`);
  else if (refusal?.isFinal === true) log.warning(`${id} was not cancelled: ${refusal.reason}`);
  else log.warning(`${id} may still be running; cancel it by hand: ${progress.byHand}`);
}

/** The run that a submission without an answer made; undefined when none shows up, or the service cannot be asked. */
async function findSent({ key, attempt }: SentJob, { find }: Run, session: Session): Promise<string | undefined> {
  const { clock, signal } = session;
  const until = clock.now() + LOOK_MS;
  for (;;) {
    const found = (await find?.(session, key))?.find((run) => run.attempt === attempt);
    if (found !== undefined || find === undefined || clock.now() + LOOK_PAUSE_MS > until) return found?.id;
    await clock.sleep(LOOK_PAUSE_MS, signal);
  }
}

function mayExist(remembered: RememberedJob): string {
  return 'id' in remembered
    ? 'The job may still be running'
    : `The step was killed before its submission was answered: a job with the submission key ${remembered.key} may be running`;
}

function reasonOf(error: unknown): string {
  if (error instanceof SubmitError) return error.message;
  const late = error instanceof DOMException && error.name === 'TimeoutError';
  return late ? `it could not be cancelled within ${BUDGET_MS / 1000} s` : 'it could not be cancelled';
}
