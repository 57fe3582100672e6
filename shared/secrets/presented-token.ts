import type { ExchangeEnvironment } from '../identity/exchange.ts';
import { getSubjectToken, logToken, type SubjectToken } from '../identity/subject-token.ts';
import { plainLine } from '../remote-text.ts';
import type { SecretValues } from './broker-settings.ts';

/** The CI's token for a broker, concealed and shown by its claims the first time. */
export type PresentedToken = (environment: ExchangeEnvironment, signal: AbortSignal) => Promise<SubjectToken>;

/** The audience that a broker is shown: what is set, else what it expects unless told otherwise. */
export function audienceFor(values: SecretValues, usual: string): string {
  return values['secret-audience'] ?? usual;
}

/** Presents the CI's token, made for `audience`, to one broker. */
export function presentedToken(values: SecretValues, audience: string): PresentedToken {
  const demand = { audiences: [audience], acceptsDefault: values['secret-audience'] === undefined } as const;
  let shown = false;
  return async ({ subjectTokens, clock, conceal, log }, signal) => {
    const subject = await getSubjectToken(subjectTokens, demand, clock, signal);
    await conceal([subject.token]);
    if (!shown) logToken(log, subject);
    shown = true;
    return subject;
  };
}

/** The audience of the token that was asked for on purpose, else its first. */
export function likelyAudience(wanted: string, { audiences }: SubjectToken): string {
  return plainLine(audiences.includes(wanted) ? wanted : (audiences[0] ?? ''), 200);
}

/** Claims that stay the same from run to run and that no stranger can have, most specific first. */
const STABLE_CLAIMS = ['deploymentEnvironmentUuid', 'repositoryUuid', 'pipeline_id'] as const;

/** The claim of a token that trust is best bound to, with its value. */
export function stableClaim({ claims }: SubjectToken): readonly [name: string, value: string] | undefined {
  const name = STABLE_CLAIMS.find((candidate) => typeof claims[candidate] === 'string');
  return name === undefined ? undefined : [name, String(claims[name])];
}
