/** The application, or managed identity, that trusts the CI. */
export interface AzureTrust {
  readonly tenant: string;
  readonly clientId: string;
  /** What the federated credential expects in `aud`. */
  readonly audience: string;
}

/** A secret in a vault, with the version that is meant. */
export interface AzureReference {
  readonly vault: string;
  readonly name: string;
  readonly version: string | undefined;
  readonly key: string | undefined;
}
