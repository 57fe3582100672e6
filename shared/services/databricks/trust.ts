/** Under whose name the exchange is made, and where. */
export interface DatabricksTrust {
  /** The workspace's host name, without scheme. */
  readonly host: string;
  /** `https://HOST`, or the loopback address in its place. */
  readonly origin: string;
  /** The workspace's id, where the address names it: hosts that serve several workspaces go by it. */
  readonly workspaceId: string | undefined;
  /** The service principal's application id; left out for account-wide policies. */
  readonly clientId: string | undefined;
  /** What the federation policy expects in `aud`. */
  readonly audience: string;
  /** Whether the CI's default audience will do as well: unless another was asked for, only the service can tell. */
  readonly acceptsDefault: boolean;
}

/** The principal that the exchange is for, for people. */
export function principal({ clientId }: DatabricksTrust): string {
  return clientId === undefined ? 'the identity of the account-wide policy' : `service principal ${clientId}`;
}
