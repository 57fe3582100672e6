/** Does something with every item, a few at a time. The first failure ends it: nothing more is begun. */
export async function inParallel<T, R>(
  items: readonly T[],
  width: number,
  action: (item: T) => Promise<R>,
): Promise<readonly R[]> {
  const results = new Map<number, R>();
  const rest = items.entries();
  let failed = false;
  const work = async (): Promise<void> => {
    // The workers share one iterator, so that each item is taken once.
    for (const [index, item] of rest) {
      if (failed) return;
      try {
        results.set(index, await action(item));
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, work));
  return items.map((_item, index) => results.get(index) as R);
}
