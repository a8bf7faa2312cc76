import { setTimeout as pause } from 'node:timers/promises';
import { type MetricValues, scrape, type Targets } from './component-metrics.ts';

/** The largest value that was seen. */
export interface Peaks {
  /** Statements that wait for a TPM, of all agents. */
  readonly agentQueue: number;
  /** Certificate requests that wait or are worked on. */
  readonly certsQueue: number;
  /** Launches and removals under way. */
  readonly frontQueue: number;
  /** Seconds that the event loop was late, the 99th percentile. */
  readonly lag: ReadonlyMap<string, number>;
}

const EACH_MS = 1000;
const COMPONENTS = ['agent', 'certs', 'front', 'launcher', 'webhook'];

/** Looks at the components' metrics once a second while something runs. */
export async function peaksDuring(targets: Targets, work: Promise<unknown>): Promise<Peaks> {
  let over = false;
  const ended = work.then(
    () => undefined,
    () => undefined,
  );
  void ended.then(() => {
    over = true;
  });
  const seen = { agentQueue: 0, certsQueue: 0, frontQueue: 0 };
  const lag = new Map<string, number>();
  while (!over) {
    const pages = new Map<string, MetricValues>();
    for (const component of COMPONENTS) {
      const page = await scrape(targets, component);
      pages.set(component, page);
      const replicas = targets.get(component)?.length ?? 1;
      const late = (page.get('nodejs_eventloop_lag_p99_seconds') ?? 0) / replicas;
      lag.set(component, Math.max(lag.get(component) ?? 0, late));
    }
    const of = (component: string, name: string): number => pages.get(component)?.get(name) ?? 0;
    seen.agentQueue = Math.max(seen.agentQueue, of('agent', 'queue_leaves'));
    seen.certsQueue = Math.max(seen.certsQueue, of('certs', 'requests_queued'));
    seen.frontQueue = Math.max(seen.frontQueue, of('front', 'launches_under_way'));
    await Promise.race([pause(EACH_MS), ended]);
  }
  return { ...seen, lag };
}
