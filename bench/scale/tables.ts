import { median } from '../figures.ts';
import type { FaultReport } from './faults.ts';
import type { Stage } from './growth.ts';

/** A Markdown table: one row a name, one column a stage. */
export function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const line = (cells: readonly (string | number)[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), `|---|${'---:|'.repeat(head.length - 1)}`, ...rows.map(line)].join('\n');
}

/** The value below which so many percent lie. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil((sorted.length * percent) / 100) - 1)] ?? Number.NaN;
}

const PROCESSES = [
  'certs',
  'webhook',
  'front',
  'launcher',
  'agent',
  'swtpm',
  'kube-apiserver',
  'etcd',
  'nodes',
  'users',
];
const CALLERS = ['agent', 'certs', 'launcher', 'webhook', 'front', 'kubelet', 'scheduler', 'apiserver'];
const LABELS: Readonly<Record<string, string>> = {
  agent: 'agents',
  swtpm: 'TPMs (swtpm)',
  nodes: 'kubelets’ stand-ins, sidecars, apps',
  users: 'users (and this bench)',
  kubelet: 'kubelets’ stand-ins',
};
const label = (name: string): string => LABELS[name] ?? name;

/** The growth of a cluster as tables of Markdown. */
export function growthTables(stages: readonly Stage[]): string {
  const head = (title: string): string[] => [title, ...stages.map(({ size }) => String(size))];
  const row = (name: string, value: (stage: Stage) => number, digits = 0): (string | number)[] => [
    name,
    ...stages.map((stage) => value(stage).toFixed(digits)),
  ];
  const sum = (values: Iterable<number>): number => [...values].reduce((all, each) => all + each, 0);
  return [
    table(head('enclaves that run'), [
      row('launches a second', (s) => s.launched / s.growing.seconds, 1),
      row('CPU s a launch, all processes', (s) => sum(s.growing.cpuSeconds.values()) / s.launched, 2),
      row('ms a launch, many at a time: p50', (s) => median(s.times)),
      row('p99', (s) => percentile(s.times, 99)),
      row('ms a launch, alone: p50', (s) => median(s.alone)),
      row('API calls a launch', (s) => sum(s.growing.callTotals.values()) / s.launched, 1),
      row('watch events a launch', (s) => s.growing.watchEvents / s.launched, 0),
      row('trust document, bytes', (s) => s.trustBytes),
    ]),
    table(
      head('CPU ms a launch'),
      PROCESSES.map((name) =>
        row(label(name), (s) => ((s.growing.cpuSeconds.get(name) ?? 0) * 1000) / s.launched, 1),
      ),
    ),
    table(
      head('anonymous memory, MB'),
      PROCESSES.map((name) =>
        row(label(name), (s) => (s.resting.processes.get(name)?.memoryBytes ?? 0) / 1e6),
      ),
    ),
    table(
      head('API calls a launch'),
      CALLERS.map((name) => row(label(name), (s) => (s.growing.callTotals.get(name) ?? 0) / s.launched, 1)),
    ),
    table(head('longest queue, once a second'), [
      row('launches under way (front)', (s) => s.growing.peaks.frontQueue),
      row('certificate requests (certs)', (s) => s.growing.peaks.certsQueue),
      row('statements that wait for a TPM (agents)', (s) => s.growing.peaks.agentQueue),
      row('statements in a batch, mean', (s) => meanBatch(s), 1),
      ...['certs', 'front', 'launcher', 'webhook', 'agent'].map((name) =>
        row(`event loop late, ms, p99: ${label(name)}`, (s) => (s.growing.peaks.lag.get(name) ?? 0) * 1000),
      ),
    ]),
    table(head('nothing is launched'), [
      row('API calls a second', (s) => sum(s.resting.callTotals.values()) / s.resting.seconds, 1),
      ...CALLERS.map((name) =>
        row(`of it: ${label(name)}`, (s) => (s.resting.callTotals.get(name) ?? 0) / s.resting.seconds, 1),
      ),
      row('watch events a second', (s) => s.resting.watchEvents / s.resting.seconds, 1),
      ...PROCESSES.map((name) =>
        row(
          `CPU %: ${label(name)}`,
          (s) => ((s.resting.cpuSeconds.get(name) ?? 0) / s.resting.seconds) * 100,
          1,
        ),
      ),
    ]),
  ].join('\n\n');
}

function meanBatch({ growing }: Stage): number {
  const agent = growing.counted.get('agent');
  return (agent?.get('batch_leaves_sum') ?? 0) / (agent?.get('batch_leaves_count') ?? 1);
}

/** What was done to a cluster of full size, as tables of Markdown. */
export function faultTables({ storm, stormWindow, faults }: FaultReport): string {
  const agent = stormWindow.counted.get('agent');
  const batch = (agent?.get('batch_leaves_sum') ?? 0) / (agent?.get('batch_leaves_count') ?? 1);
  const cpu = (name: string): string =>
    (((stormWindow.cpuSeconds.get(name) ?? 0) * 1000) / storm.asked).toFixed(1);
  return [
    table(
      ['fresh evidence', ''],
      [
        ['answers a second', (storm.asked / storm.seconds).toFixed(0)],
        ['ms each: p50', median(storm.times).toFixed(0)],
        ['p99', percentile(storm.times, 99).toFixed(0)],
        ['statements in a batch, mean', batch.toFixed(1)],
        ...['agent', 'swtpm', 'nodes', 'users', 'kube-apiserver'].map((name) => [
          `CPU ms an answer: ${label(name)}`,
          cpu(name),
        ]),
      ],
    ),
    table(
      ['what happened', 's', 'API calls', 'event loop late, ms, p99: certs', 'agents, mean'],
      faults.map(({ name, seconds, during }) => [
        name,
        seconds.toFixed(1),
        [...during.callTotals.values()].reduce((all, each) => all + each, 0),
        ((during.peaks.lag.get('certs') ?? 0) * 1000).toFixed(0),
        ((during.peaks.lag.get('agent') ?? 0) * 1000).toFixed(0),
      ]),
    ),
  ].join('\n\n');
}
