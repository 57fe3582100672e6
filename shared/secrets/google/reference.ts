/** `projects/P/secrets/S` or `projects/P/locations/L/secrets/S`, with the version that is meant. */
export interface GoogleReference {
  readonly secret: string;
  readonly location: string | undefined;
  readonly version: string;
  readonly key: string | undefined;
}
