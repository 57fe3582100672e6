import type { Fault } from '../simulators/serve.ts';
import type { World } from '../simulators/world.ts';
import type { Target } from './kind-samples.ts';

/** Breaks the requests to a target until the returned function is called. */
export function breakRequests(
  world: World,
  { method, path, skip = 0 }: Target,
  fault: Pick<Fault, 'kind' | 'times'> & Partial<Fault>,
): () => void {
  let broken = true;
  let left = skip;
  const strikes = (text: string): boolean => {
    if (!broken || !path.test(text)) return false;
    left -= 1;
    return left < 0;
  };
  const whileBroken = Object.assign(new RegExp(path), { test: strikes });
  world.fault({ method, ...fault, path: whileBroken });
  return () => {
    broken = false;
  };
}
