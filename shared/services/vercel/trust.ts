/** Under whose name the exchange is made, and which policy is to allow it. */
export interface VercelTrust {
  /** The team's id or slug. */
  readonly team: string;
  /** The project's id or name, for the policy that a refusal proposes. */
  readonly project: string;
  /** The OAuth client that the federation policy is for. */
  readonly clientId: string;
  /** Which policy is meant, where several match. */
  readonly policyId: string | undefined;
  /** What the policy expects in `aud`. */
  readonly audience: string;
  /** Whether the CI's default audience will do as well: unless another was asked for, only the service can tell. */
  readonly acceptsDefault: boolean;
}
