import leven from 'leven';

/** The known name nearest to what was written, when it is near enough to be a slip: at most a third of it differs. */
export function nearestName(written: string, known: Iterable<string>): string | undefined {
  const target = simplify(written);
  let best: { name: string; distance: number } | undefined;
  for (const name of known) {
    const distance = leven(target, simplify(name));
    if (best === undefined || distance < best.distance) best = { name, distance };
  }
  return best !== undefined && best.distance <= Math.floor(target.length / 3) ? best.name : undefined;
}

function simplify(name: string): string {
  return name.toLowerCase().replace(/[-_.\s]/g, '');
}
