import { defineConfig } from 'vitest/config';
import { SlowestFirst } from './tools/slowest-first.ts';

/** Suites that start nodes or the whole product: they wait for processes, while others compute. */
const cluster = [
  'test/e2e/**/*.test.ts',
  'test/devcluster/node*.test.ts',
  'test/agent/agent*.test.ts',
  'test/agent/admin-nodes.test.ts',
  'test/agent/caller-identity.test.ts',
];

/** Suites that take minutes by their nature (rotation under load): `make test-long`. */
const long = ['test/long/**/*.test.ts'];

/** Suites that need a PostgreSQL server: `make test-postgres`. */
const postgres = ['test/postgres/**/*.test.ts'];

/** Suites that start the cluster of `make cluster` themselves, and take it down: `make test-cluster`. */
const machine = ['test/kubernetes/**/*.test.ts'];

/** Suites that need the product installed on a real cluster: `make e2e`. */
const installed = ['test/installed/**/*.test.ts'];

/** Suites over the images of `make images`: `make test-images`. */
const images = ['test/images/built/**/*.test.ts'];

/** Of `expect.poll`: a loaded machine is no failure, and what is waited for comes at once on an idle one. */
const expect = { poll: { timeout: 15_000 } };

/** helm and kubectl. */
const globalSetup = ['test/support/fetch-programs.ts'];

export default defineConfig({
  test: {
    // One more than CI has cores: at any moment one of them waits for processes.
    maxWorkers: 3,
    sequence: { sequencer: SlowestFirst },
    projects: [
      {
        test: {
          name: 'rooms',
          expect,
          globalSetup,
          include: ['test/**/*.test.ts'],
          exclude: [...cluster, ...long, ...postgres, ...machine, ...installed, ...images],
          testTimeout: 30_000,
          hookTimeout: 60_000,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: 'cluster',
          expect,
          globalSetup,
          include: cluster,
          testTimeout: 60_000,
          hookTimeout: 120_000,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: 'installed',
          expect,
          include: installed,
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 120_000,
          sequence: { groupOrder: 4 },
        },
      },
      {
        test: {
          name: 'long',
          expect,
          include: long,
          fileParallelism: false,
          testTimeout: 300_000,
          hookTimeout: 120_000,
          sequence: { groupOrder: 3 },
        },
      },
      {
        test: {
          name: 'images',
          expect,
          include: images,
          fileParallelism: false,
          testTimeout: 600_000,
          hookTimeout: 120_000,
          sequence: { groupOrder: 6 },
        },
      },
      {
        test: {
          name: 'postgres',
          expect,
          include: postgres,
          testTimeout: 60_000,
          hookTimeout: 120_000,
          sequence: { groupOrder: 4 },
        },
      },
      {
        test: {
          name: 'machine',
          expect,
          include: machine,
          fileParallelism: false,
          sequence: { groupOrder: 5 },
        },
      },
    ],
  },
});
