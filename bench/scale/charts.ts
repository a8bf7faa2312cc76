import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Stage } from './growth.ts';
import { lineChart, type Series } from './line-chart.ts';

const CPU = ['kube-apiserver', 'agent', 'launcher', 'certs', 'front', 'webhook', 'etcd'];
const MEMORY = ['kube-apiserver', 'agent', 'launcher', 'certs', 'front', 'webhook', 'etcd'];

/** Writes the curves of a cluster that grew into a folder. */
export function writeCharts(stages: readonly Stage[], folder: string): void {
  mkdirSync(folder, { recursive: true });
  const series = (names: readonly string[], value: (stage: Stage, name: string) => number): Series[] =>
    names.map((name) => ({
      name: name === 'agent' ? 'agents, all ten' : name,
      points: stages.map((stage) => [stage.size, value(stage, name)] as const),
    }));
  const x = 'enclaves that run';
  const write = (file: string, svg: string): void => writeFileSync(join(folder, file), svg);
  write(
    'scale-launches.svg',
    lineChart({
      title: 'Launches a second, two cores for everything',
      x,
      y: 'a second',
      series: [{ name: 'launches', points: stages.map((s) => [s.size, s.launched / s.growing.seconds]) }],
    }),
  );
  write(
    'scale-cpu.svg',
    lineChart({
      title: 'CPU time of a launch',
      x,
      y: 'ms',
      series: series(CPU, (s, name) => ((s.growing.cpuSeconds.get(name) ?? 0) * 1000) / s.launched),
    }),
  );
  write(
    'scale-memory.svg',
    lineChart({
      title: 'Anonymous memory',
      x,
      y: 'MB',
      series: series(MEMORY, (s, name) => (s.resting.processes.get(name)?.memoryBytes ?? 0) / 1e6),
    }),
  );
}
