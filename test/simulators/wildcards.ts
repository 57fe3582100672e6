/** A pattern that stands for a whole text, in which some characters are wildcards and all others mean themselves. */
export function wildcardPattern(pattern: string, wildcards: Readonly<Record<string, string>>): RegExp {
  const source = [...pattern].map((each) => wildcards[each] ?? each.replace(/[\\^$.*+?()[\]{}|]/, '\\$&')).join('');
  return new RegExp(`^${source}$`, 's');
}
