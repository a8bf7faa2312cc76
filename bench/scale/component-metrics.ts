import { DEFAULT_RELEASE_NAMESPACE } from '../../names/components.ts';
import { PORTS } from '../../names/wire.ts';
import type { Environment } from '../../tools/cluster/environment.ts';

/** Values by metric name, without prefix and added over labels and replicas; `name{label="value"}` apart as well. */
export type MetricValues = ReadonlyMap<string, number>;

/** Where a component's replicas serve their metrics. */
export type Targets = ReadonlyMap<string, readonly string[]>;

interface ComponentPod {
  readonly metadata: { readonly labels: Readonly<Record<string, string>> };
  readonly status: { readonly podIP: string };
}

export async function metricTargets(environment: Environment): Promise<Targets> {
  const text = await environment.kubectl(['get', 'pods', '-n', DEFAULT_RELEASE_NAMESPACE, '-o', 'json']);
  const { items } = JSON.parse(text) as { items: readonly ComponentPod[] };
  const targets = new Map<string, string[]>();
  for (const { metadata, status } of items) {
    const component = (metadata.labels['app.kubernetes.io/name'] ?? '').replace(/^enclave-/, '');
    targets.set(component, [
      ...(targets.get(component) ?? []),
      `http://${status.podIP}:${PORTS.health}/metrics`,
    ]);
  }
  return targets;
}

/** What the replicas of one component say now; one that is away says nothing. */
export async function scrape(targets: Targets, component: string): Promise<MetricValues> {
  const values = new Map<string, number>();
  const texts = (targets.get(component) ?? []).map(async (url) => (await fetch(url)).text());
  for (const text of await Promise.allSettled(texts))
    if (text.status === 'fulfilled') readMetrics(text.value, `enclave_${component}_`, values);
  return values;
}

/** Adds the samples of a page in Prometheus' text format. */
export function readMetrics(text: string, prefix: string, into: Map<string, number>): void {
  const add = (name: string, value: number): void => void into.set(name, (into.get(name) ?? 0) + value);
  for (const [, name = '', labels, value] of text.matchAll(/^([a-z_]\w*)(\{[^}]*\})? (\S+)/gm)) {
    const short = name.startsWith(prefix) ? name.slice(prefix.length) : name;
    add(short, Number(value));
    if (labels !== undefined) add(short + labels, Number(value));
  }
}
