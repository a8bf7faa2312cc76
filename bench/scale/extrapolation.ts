import type { Stage } from './growth.ts';
import { table } from './tables.ts';

/** `at(0)` and the growth by each further enclave. */
export interface Line {
  readonly base: number;
  readonly each: number;
}

interface Point {
  readonly x: number;
  readonly y: number;
  /** How much it was measured over. */
  readonly weight: number;
}

/** The straight line through these points, weighted least squares; a level one when it would fall: nothing gets cheaper by more enclaves. */
function fitLine(points: readonly Point[]): Line {
  const all = points.reduce((sum, { weight }) => sum + weight, 0);
  const mean = (of: (point: Point) => number): number =>
    points.reduce((sum, point) => sum + point.weight * of(point), 0) / all;
  const [meanX, meanY] = [mean(({ x }) => x), mean(({ y }) => y)];
  const spread = mean(({ x }) => (x - meanX) ** 2);
  const each = spread === 0 ? 0 : mean(({ x, y }) => (x - meanX) * (y - meanY)) / spread;
  const growth = Math.max(0, each);
  return { base: meanY - growth * meanX, each: growth };
}

/** Below this size programs that have just started cost more than enclaves do. */
const WARM = 50;

/** One of each in the cluster; agents and TPMs are one a node, and see their own node's enclaves only. */
const CENTRAL = ['certs', 'webhook', 'front', 'launcher', 'kube-apiserver', 'etcd'];

/** What the straight lines say of a larger cluster with as many enclaves a node. An extrapolation, and no more. */
export function extrapolationTable(stages: readonly Stage[], size: number): string {
  const warm = stages.filter((stage) => stage.size > WARM);
  const from = (stage: Stage): number => stages[stages.indexOf(stage) - 1]?.size ?? 0;
  const rows = CENTRAL.map((name) => {
    const cpu = fitLine(
      warm.map((stage) => ({
        x: (stage.size + from(stage)) / 2,
        y: ((stage.growing.cpuSeconds.get(name) ?? 0) * 1000) / stage.launched,
        weight: stage.launched,
      })),
    );
    const memory = fitLine(
      warm.map(({ size: x, resting }) => ({
        x,
        y: (resting.processes.get(name)?.memoryBytes ?? 0) / 1e6,
        weight: 1,
      })),
    );
    const then = cpu.base + cpu.each * size;
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
