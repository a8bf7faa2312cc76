import type { Labels, Metrics } from '../../platform/metrics/metrics.ts';

/** Metrics that remember, for tests: `values` is keyed by `name{label="value"}`. */
export function recordingMetrics(): Metrics & { readonly values: Map<string, number> } {
  const values = new Map<string, number>();
  const key = (name: string, labels: Labels = {}): string =>
    `${name}{${Object.entries(labels)
      .map(([label, value]) => `${label}="${value}"`)
      .join(',')}}`;
  const add =
    (name: string) =>
    (labels?: Labels, by = 1) => {
      const at = key(name, labels);
      values.set(at, (values.get(at) ?? 0) + by);
    };
  return {
    values,
    counter: (name) => ({ inc: add(name) }),
    gauge: (name) => ({ set: (value, labels) => void values.set(key(name, labels), value) }),
    histogram: (name) => ({ observe: (_value, labels) => add(name)(labels) }),
    render: async () => [...values].map(([name, value]) => `${name} ${value}\n`).join(''),
  };
}
