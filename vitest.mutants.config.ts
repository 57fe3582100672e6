import { defineConfig } from 'vitest/config';

/** The tests of the part of the sources that tools/mutants.ts changes. */
export default defineConfig({
  test: {
    include: (process.env.MUTANTS_TESTS ?? '').split(','),
    testTimeout: 60_000,
  },
});
