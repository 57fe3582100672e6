import type { Fault } from '../simulators/serve.ts';
import type { World } from '../simulators/world.ts';
import type { Target } from './kind-samples.ts';

/** Breaks the requests to a target until the returned function is called. */
export function breakRequests(
  world: World,
  { method, path }: Target,
  fault: Pick<Fault, 'kind' | 'times'> & Partial<Fault>,
): () => void {
  let broken = true;
  const whileBroken = Object.assign(new RegExp(path), { test: (text: string) => broken && path.test(text) });
  world.fault({ method, ...fault, path: whileBroken });
  return () => {
    broken = false;
  };
}
