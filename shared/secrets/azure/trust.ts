import type { BrokerAudience } from '../presented-token.ts';

/** The application, or managed identity, that trusts the CI. */
export interface AzureTrust extends BrokerAudience {
  readonly tenant: string;
  readonly clientId: string;
}

/** A secret in a vault, with the version that is meant. */
export interface AzureReference {
  readonly vault: string;
  readonly name: string;
  readonly version: string | undefined;
  readonly key: string | undefined;
}
