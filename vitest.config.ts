import { defineConfig } from 'vitest/config';

// A test's suffix says what it needs: `.test.ts` nothing, `.redis.test.ts` a Redis (started by the
// project's global set-up), `.store.test.ts` native store libraries on disk, `.e2e.test.ts` a running `./vortex up`.
// Not plain `source`: eventsource-parser publishes a condition of that name, and Node refuses to strip types in
// node_modules.
const source = { conditions: ['vortex-source'] };
const shared = { resolve: source, ssr: { resolve: source } };
// What a test waits for is a fact; how long a busy machine takes to bring it about is no finding. A wait that is in vain
// (`until`: 30 s) is to be told before the test it stands in is given up.
const patience = { testTimeout: 60_000, hookTimeout: 60_000, expect: { poll: { timeout: 30_000 } } };
const special = ['**/*.redis.test.ts', '**/*.store.test.ts', '**/*.e2e.test.ts'];

export default defineConfig({
  test: {
    // Vitest would leave one processor free, which is half of a machine with two. Most tests wait more than they work.
    maxWorkers: '100%',
    projects: [
      {
        ...shared,
        test: {
          name: 'pure',
          include: ['libs/**/*.test.ts', 'services/**/*.test.ts', 'loadtest/**/*.test.ts'],
          exclude: ['**/node_modules/**', ...special],
          ...patience,
        },
      },
      {
        ...shared,
        test: {
          name: 'redis',
          include: ['libs/**/*.redis.test.ts', 'services/**/*.redis.test.ts'],
          globalSetup: ['libs/testkit/src/redis-global-setup.ts'],
          ...patience,
        },
      },
      {
        ...shared,
        test: {
          name: 'store',
          include: ['libs/**/*.store.test.ts', 'services/**/*.store.test.ts'],
          ...patience,
        },
      },
      {
        ...shared,
        test: {
          name: 'e2e',
          include: ['e2e/**/*.e2e.test.ts'],
          fileParallelism: false,
          testTimeout: 180_000,
          hookTimeout: 300_000,
        },
      },
    ],
  },
});
