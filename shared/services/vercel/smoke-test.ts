import { type Attempt, describeAttempt, type HttpCall, isSuccess } from '../../http/http.ts';
import type { Session } from '../../identity/session.ts';
import { getSubjectToken } from '../../identity/subject-token.ts';
import type { Failure } from '../../kind.ts';
import type { Secret } from '../../secret.ts';

/** One request that a deployment must answer before the step counts as done. */
export interface SmokeTest {
  readonly path: string;
  /** The status that is wanted; any of success without one. */
  readonly status: number | undefined;
  /** Whom the CI's token must be for to get through Deployment Protection. */
  readonly audience: string | undefined;
}

/** A new address may need a moment to be known everywhere. */
const DELAYS_MS = [1_000, 2_000, 4_000, 8_000];

/**
 * Asks the deployment's own address; a deployment behind Deployment Protection is shown the CI's token, as one of its Trusted
 * Sources (https://vercel.com/docs/deployment-protection). Nothing of the token for Vercel's API goes there.
 * @returns why the answer is not the one that is wanted; undefined when it is.
 */
export async function smokeTest(
  session: Session,
  address: string,
  test: SmokeTest,
  aliases: readonly string[],
): Promise<Failure | undefined> {
  const { clock, http, log, signal } = session;
  const url = `${address}${test.path}`;
  const { hostname } = new URL(url);
  if (test.audience !== undefined && !hostname.endsWith('.vercel.app') && !aliases.includes(hostname)) {
    const why = `it is neither below vercel.app nor among the aliases, so the CI's token is not sent there`;
    return { cause: 'permission', message: `${hostname} was not asked: ${why}` };
  }
  const secretHeaders =
    test.audience === undefined
      ? {}
      : { 'x-vercel-trusted-oidc-idp-token': await visitorToken(test.audience, session) };
  const call: HttpCall = { method: 'GET', url, headers: { accept: '*/*' }, secretHeaders };
  for (let round = 0; ; round += 1) {
    const result = await http.once(call, signal);
    if (isWanted(result, test)) {
      log.info(`GET ${url} answered ${result.kind === 'answer' ? result.status : ''}`);
      return undefined;
    }
    const delay = DELAYS_MS[round];
    // A door that is closed stays closed.
    if (delay === undefined || isClosed(result)) return explain(url, test, result);
    log.debug(`GET ${url}: ${describeAttempt(result)}; again in ${delay} ms`);
    await clock.sleep(delay, signal);
    signal.throwIfAborted();
  }
}

/**
 * Looks whether the smoke test will have the token that it needs, where the CI gives one for everything: when it is found
 * missing afterwards, the deployment is live.
 * @throws SubmitError `token-audience` with what the user must add to the pipeline.
 */
export async function requireVisitorToken(test: SmokeTest | undefined, session: Session): Promise<void> {
  if (test?.audience !== undefined && !session.subjectTokens.renewable) await visitorToken(test.audience, session);
}

async function visitorToken(audience: string, { clock, conceal, signal, subjectTokens }: Session): Promise<Secret> {
  const demand = { audiences: [audience], acceptsDefault: false } as const;
  const { token } = await getSubjectToken(subjectTokens, demand, clock, signal);
  await conceal([token]);
  return token;
}

function isWanted(result: Attempt, { status }: SmokeTest): boolean {
  if (result.kind !== 'answer') return false;
  return status === undefined ? isSuccess(result) : result.status === status;
}

function isClosed(result: Attempt): boolean {
  const status = result.kind === 'answer' ? result.status : 0;
  return status === 401 || status === 403 || (status >= 300 && status < 400);
}

function explain(url: string, { audience, status }: SmokeTest, result: Attempt): Failure {
  const got = result.kind === 'answer' ? `answered ${result.status}` : `gave no answer: ${result.reason}`;
  const message = `The deployment is ready, but GET ${url} ${got}; expected ${status ?? 'a status of 200 to 299'}`;
  if (!isClosed(result)) return { cause: 'code', message };
  const protection =
    audience === undefined
      ? "Deployment Protection keeps strangers out; set smoke-audience and make the CI one of the project's Trusted Sources"
      : `the project's Trusted Sources do not let this token in (audience ${audience}); compare its claims with them`;
  return { cause: 'permission', message: `${message}. If it is protected: ${protection}.` };
}
