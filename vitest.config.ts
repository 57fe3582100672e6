import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['**/node_modules/**', 'build/**'],
    maxWorkers: 2,
    // A file that is missing fails its test; `npm run golden` writes it.
    update: 'none',
    testTimeout: 60_000,
    hookTimeout: 30_000,
  },
});
