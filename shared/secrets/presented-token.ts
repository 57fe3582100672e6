import type { SubjectToken } from '../identity/subject-token.ts';
import { plainLine } from '../remote-text.ts';
import type { SecretValues } from './broker-settings.ts';

/** The audience of the CI's token for a broker. */
export interface BrokerAudience {
  readonly audience: string;
  /** Whether the CI's default audience will do as well: unless another was asked for, only the broker can tell. */
  readonly acceptsDefault: boolean;
}

/** The audience that a broker is shown: what is set, else what it expects unless told otherwise. */
export function audienceFor(values: SecretValues, usual: string): BrokerAudience {
  const asked = values['secret-audience'];
  return { audience: asked ?? usual, acceptsDefault: asked === undefined };
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
