import type { Labels, Metrics, MetricsFactory } from '../../platform/metrics/metrics.ts';

const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(
    ([name, value]) =>
      `${name}="${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`,
  );
  return pairs.length > 0 ? `{${pairs.join(',')}}` : '';
}

interface Family {
  readonly head: string;
  lines(): string[];
}

/** Prometheus text format 0.0.4, without prom-client. */
export const lightMetrics: MetricsFactory = (prefix): Metrics => {
  const families: Family[] = [];
  const family = (name: string, help: string, type: string, lines: () => string[]): void => {
    families.push({ head: `# HELP ${prefix}${name} ${help}\n# TYPE ${prefix}${name} ${type}`, lines });
  };
  const values = (name: string, help: string, type: string, labelled: boolean): Map<string, number> => {
    const found = new Map<string, number>();
    if (!labelled) found.set('', 0);
    family(name, help, type, () => [...found].map(([labels, value]) => `${prefix}${name}${labels} ${value}`));
    return found;
  };
  family('process_resident_memory_bytes', 'Resident memory.', 'gauge', () => [
    `${prefix}process_resident_memory_bytes ${process.memoryUsage.rss()}`,
  ]);
  return {
    counter: (name, help, labels = []) => {
      const found = values(name, help, 'counter', labels.length > 0);
      return {
        inc: (given = {}, by = 1) => {
          const key = labelText(given);
          found.set(key, (found.get(key) ?? 0) + by);
        },
      };
    },
    gauge: (name, help, labels = []) => {
      const found = values(name, help, 'gauge', labels.length > 0);
      return { set: (value, given = {}) => void found.set(labelText(given), value) };
    },
    histogram: (name, help, _labels, buckets = BUCKETS) => {
      const found = new Map<string, { labels: Labels; counts: number[]; sum: number; total: number }>();
      family(name, help, 'histogram', () =>
        [...found.values()].flatMap(({ labels, counts, sum, total }) => [
          ...buckets.map(
            (le, i) => `${prefix}${name}_bucket${labelText({ ...labels, le: String(le) })} ${counts[i]}`,
          ),
          `${prefix}${name}_bucket${labelText({ ...labels, le: '+Inf' })} ${total}`,
          `${prefix}${name}_sum${labelText(labels)} ${sum}`,
          `${prefix}${name}_count${labelText(labels)} ${total}`,
        ]),
      );
      return {
        observe: (value, labels = {}) => {
          const key = labelText(labels);
          const entry = found.get(key) ?? { labels, counts: buckets.map(() => 0), sum: 0, total: 0 };
          found.set(key, entry);
          entry.counts = entry.counts.map((count, i) => count + (value <= (buckets[i] ?? 0) ? 1 : 0));
          entry.sum += value;
          entry.total += 1;
        },
      };
    },
    render: async () => families.map(({ head, lines }) => `${[head, ...lines()].join('\n')}\n`).join(''),
  };
};
