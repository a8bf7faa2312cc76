import { type ApiCalls, totals } from './audit-log.ts';
import { type MetricValues, readMetrics, scrape, type Targets } from './component-metrics.ts';
import { type Peaks, peaksDuring } from './peaks.ts';
import { type ProcessGroup, processGroups } from './process-table.ts';
import type { ScaleWorld } from './scale-world.ts';

/** What happened between two moments, all over the cluster. */
export interface Window {
  readonly seconds: number;
  /** Of each kind of process. */
  readonly cpuSeconds: ReadonlyMap<string, number>;
  /** At the end. */
  readonly processes: ReadonlyMap<string, ProcessGroup>;
  readonly calls: ApiCalls;
  readonly callTotals: ReadonlyMap<string, number>;
  /** Events that the API server sent to watchers. */
  readonly watchEvents: number;
  readonly peaks: Peaks;
  /** Growth of the components' counters. */
  readonly counted: ReadonlyMap<string, MetricValues>;
}

const COUNTED = ['agent', 'certs', 'launcher', 'front', 'webhook'];

/** Measures while `work` runs. */
export async function measure(
  world: ScaleWorld,
  targets: Targets,
  work: () => Promise<unknown>,
): Promise<Window> {
  world.audit.next();
  const before = await snapshot(world, targets);
  const begun = performance.now();
  const working = work();
  const [peaks] = await Promise.all([peaksDuring(targets, working), working]);
  const seconds = (performance.now() - begun) / 1000;
  const after = await snapshot(world, targets);
  const calls = world.audit.next();
  const grown = (from: MetricValues | undefined, to: MetricValues): MetricValues =>
    new Map([...to].map(([name, value]) => [name, value - (from?.get(name) ?? 0)]));
  return {
    seconds,
    cpuSeconds: new Map(
      [...after.processes].map(([name, { cpuSeconds }]) => [
        name,
        cpuSeconds - (before.processes.get(name)?.cpuSeconds ?? 0),
      ]),
    ),
    processes: after.processes,
    calls,
    callTotals: totals(calls),
    watchEvents: after.watchEvents - before.watchEvents,
    peaks,
    counted: new Map([...after.pages].map(([name, page]) => [name, grown(before.pages.get(name), page)])),
  };
}

async function snapshot(world: ScaleWorld, targets: Targets) {
  const api = new Map<string, number>();
  readMetrics(await world.api.send({ method: 'GET', path: '/metrics' }), 'apiserver_', api);
  const pages = new Map<string, MetricValues>();
  for (const name of COUNTED) pages.set(name, await scrape(targets, name));
  return { processes: processGroups(), watchEvents: api.get('watch_events_total') ?? 0, pages };
}
