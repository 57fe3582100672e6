import type { Facts } from '../http/refusal.ts';
import { likelyAudience } from '../identity/subject-claims.ts';
import type { SubjectToken } from '../identity/subject-token.ts';
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

/** What the refusals of every broker's login may name of the token. */
export function tokenFacts(
  { audience }: BrokerAudience,
  subject: SubjectToken,
  howToRequest: readonly string[],
): Facts {
  return {
    issuer: subject.issuer,
    audience: likelyAudience([audience], subject),
    tokenInstructions: howToRequest,
  };
}
