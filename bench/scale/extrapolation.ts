import type { Stage } from './growth.ts';
import { table } from './tables.ts';

/** `at(0)` and the growth by each further enclave. */
export interface Line {
  readonly base: number;
  readonly each: number;
}

/** The straight line through these points, least squares. */
export function fitLine(points: readonly (readonly [number, number])[]): Line {
  const mean = (of: (point: readonly [number, number]) => number): number =>
    points.reduce((sum, point) => sum + of(point), 0) / points.length;
  const [meanX, meanY] = [mean(([x]) => x), mean(([, y]) => y)];
  const spread = mean(([x]) => (x - meanX) ** 2);
  const each = spread === 0 ? 0 : mean(([x, y]) => (x - meanX) * (y - meanY)) / spread;
  return { base: meanY - each * meanX, each };
}

/** One of each in the cluster; agents and TPMs are one a node, and see their own node's enclaves only. */
const CENTRAL = ['certs', 'webhook', 'front', 'launcher', 'kube-apiserver', 'etcd'];

/** What the straight lines say of a larger cluster with as many enclaves a node. An extrapolation, and no more. */
export function extrapolationTable(stages: readonly Stage[], size: number): string {
  const between = stages.map((stage, i) => (stage.size + (stages[i - 1]?.size ?? 0)) / 2);
  const rows = CENTRAL.map((name) => {
    const cpu = fitLine(
      stages.map(({ growing, launched }, i) => [
        between[i] ?? 0,
        ((growing.cpuSeconds.get(name) ?? 0) * 1000) / launched,
      ]),
    );
    const memory = fitLine(
      stages.map(({ size: x, resting }) => [x, (resting.processes.get(name)?.memoryBytes ?? 0) / 1e6]),
    );
    const then = Math.max(cpu.base + cpu.each * size, 0);
    return [
      name,
      `${cpu.base.toFixed(1)} + ${(cpu.each * 1000).toFixed(1)} a thousand`,
      then.toFixed(0),
      (1000 / then).toFixed(0),
      `${memory.base.toFixed(0)} + ${(memory.each * 1000).toFixed(0)} a thousand`,
      (memory.base + memory.each * size).toFixed(0),
    ];
  });
  return table(
    [
      'extrapolated, not measured',
      'CPU ms a launch, fitted',
      `at ${size}`,
      'launches a second that one core allows',
      'memory MB, fitted',
      `at ${size}`,
    ],
    rows,
  );
}
