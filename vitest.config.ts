import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    reporters: ['default', './test/closing-line.ts'],
    projects: [
      {
        test: {
          name: 'fast',
          include: ['test/**/*.test.ts'],
          exclude: ['test/e2e/**'],
          // A test that hangs must end; one on a busy machine must not.
          testTimeout: 180_000,
          hookTimeout: 180_000,
          // Trace the second call of every jitted function again, and compile afresh.
          env: { GIBBS_CHECKED: '2', GIBBS_CACHE: 'off' },
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          testTimeout: 600_000,
          hookTimeout: 600_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
