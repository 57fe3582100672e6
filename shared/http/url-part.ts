/**
 * A text as a part of a path or query (RFC 3986, section 3.3). A lone surrogate, which JSON can carry and UTF-8 cannot, becomes U+FFFD instead
 * of an exception.
 */
export function urlPart(text: string): string {
  return encodeURIComponent(text.toWellFormed());
}
