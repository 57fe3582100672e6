/** A secret by its name or ARN, with the version that is meant. */
export interface AwsReference {
  readonly id: string;
  /** The region that an ARN names. */
  readonly region: string | undefined;
  readonly version: { readonly VersionId: string } | { readonly VersionStage: string } | undefined;
  readonly key: string | undefined;
}
