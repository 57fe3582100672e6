import metadata from '../package.json' with { type: 'json' };

/** Names that a fork changes, all from package.json. */
export const PROJECT = {
  name: metadata.name,
  version: metadata.version,
  description: metadata.description,
  ...metadata.keylessSubmit,
} as const;

/** The page of a document of this version in the source repository. */
export function documentationUrl(path: string): string {
  return `${PROJECT.source}/blob/v${PROJECT.version}/${path}`;
}
