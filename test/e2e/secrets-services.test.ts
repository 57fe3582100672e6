import { describe, it } from 'vitest';
import type { SecretPath } from './secret-paths.ts';
import { PREFECT_PATHS } from './secret-paths-prefect.ts';
import { VERCEL_PATHS } from './secret-paths-vercel.ts';
import { expectSecrecy, inTurn, WITH_DEBUG } from './secret-steps.ts';

/** Whatever becomes of a job is followed in both packagings, a refusal in one. */
function withRefusalsInTurn(paths: readonly SecretPath[]): readonly SecretPath[] {
  const isRefusal = ({ exit }: SecretPath) => exit !== null && exit > 1 && exit < 100;
  return [...paths.filter((path) => !isRefusal(path)), ...inTurn(paths.filter(isRefusal))];
}

describe.concurrent('no key of Prefect comes to light with', () => {
  it.each(withRefusalsInTurn(PREFECT_PATHS))('$name', (path) => expectSecrecy(path, WITH_DEBUG));
});

describe.concurrent('no token of Vercel comes to light with', () => {
  it.each(withRefusalsInTurn(VERCEL_PATHS))('$name', (path) => expectSecrecy(path, WITH_DEBUG));
});
