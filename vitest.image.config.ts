import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/image/**/*.image.ts'],
    testTimeout: 120_000,
    // Building the image, and where there is no Docker its base, takes a while.
    hookTimeout: 900_000,
    fileParallelism: false,
  },
});
