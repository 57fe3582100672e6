import leven from 'leven';

const LONGEST_NAME = 200;

/** The known name nearest to what was written, when it is near enough to be a slip: at most a third of it differs. */
export function nearestName(written: string, known: Iterable<string>): string | undefined {
  // Such a name is no typing error.
  if (written.length > LONGEST_NAME) return undefined;
  const target = simplify(written);
  const most = Math.floor(target.length / 3);
  let best: { name: string; distance: number } | undefined;
  for (const name of known) {
    const other = simplify(name);
    if (Math.abs(other.length - target.length) > most) continue;
    const distance = leven(target, other);
    if (best === undefined || distance < best.distance) best = { name, distance };
  }
  return best !== undefined && best.distance <= most ? best.name : undefined;
}

function simplify(name: string): string {
  return name.toLowerCase().replace(/[-_.\s]/g, '');
}
