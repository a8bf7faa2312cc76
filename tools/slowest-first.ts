import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** The files that take longest, the slowest first: begun late, one of them would have the end of the run for itself. */
const SLOWEST = [
  'test/e2e/kill-early.test.ts',
  'test/client/verify-sh.test.ts',
  'test/e2e/kill-late.test.ts',
  'test/certs/failover.test.ts',
  'test/agent/agent-kill.test.ts',
];

/** Vitest's own order, but the slowest files first, and those of `cluster`, which mostly wait, spread evenly among those that compute. */
export class SlowestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const slowest = SLOWEST.flatMap((name) => sorted.filter(({ moduleId }) => moduleId.endsWith(`/${name}`)));
    const rest = sorted.filter((file) => !slowest.includes(file));
    const waiting = rest.filter(({ project }) => project.name === 'cluster');
    const others = rest.filter(({ project }) => project.name !== 'cluster');
    const each = Math.ceil(others.length / (waiting.length + 1));
    const spread = waiting.flatMap((file, i) => [file, ...others.slice(i * each, (i + 1) * each)]);
    return [...slowest, ...spread, ...others.slice(waiting.length * each)];
  }
}
