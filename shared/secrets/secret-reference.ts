/** The parts of a reference, in the order of a URL: what is meant, which version of it, and which part of what it holds. */
interface ReferenceParts {
  readonly place: string;
  /** `name=value` after the question mark; undefined when there is none. */
  readonly choice: { readonly name: string; readonly value: string } | undefined;
  /** After the hash. */
  readonly key: string | undefined;
}

/** Splits `PLACE[?NAME=VALUE][#KEY]`; undefined for anything else. */
export function splitReference(text: string): ReferenceParts | undefined {
  const match = /^([^?#\s\x00-\x1f]+)(?:\?([a-z]+)=([^?#&\s\x00-\x1f]+))?(?:#([^?#\x00-\x1f]+))?$/.exec(text);
  if (match === null) return undefined;
  const [, place = '', name, value = '', key] = match;
  return { place, key, choice: name === undefined ? undefined : { name, value } };
}
