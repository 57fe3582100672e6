import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/peers/**/*.peer.ts'],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // Real agents and SDKs are heavy; one file after the other keeps them from starving each other.
    fileParallelism: false,
  },
});
