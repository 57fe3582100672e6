import { describe, it } from 'vitest';
import { PREFECT_PATHS } from './secret-paths-prefect.ts';
import { VERCEL_PATHS } from './secret-paths-vercel.ts';
import { expectSecrecy, WITH_DEBUG } from './secret-steps.ts';

describe.concurrent('no key of Prefect comes to light with', () => {
  it.each(PREFECT_PATHS)('$name', (path) => expectSecrecy(path, WITH_DEBUG));
});

describe.concurrent('no token of Vercel comes to light with', () => {
  it.each(VERCEL_PATHS)('$name', (path) => expectSecrecy(path, WITH_DEBUG));
});
