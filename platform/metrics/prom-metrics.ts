import {
  collectDefaultMetrics,
  Counter as PromCounter,
  Gauge as PromGauge,
  Histogram as PromHistogram,
  Registry,
} from 'prom-client';
import type { Metrics, MetricsFactory } from './metrics.ts';

/** Metrics by prom-client, with its process metrics under the same prefix, in a registry of their own. */
export const promMetrics: MetricsFactory = (prefix): Metrics => {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, prefix });
  const common = (name: string, help: string, labels: readonly string[] = []) => ({
    name: prefix + name,
    help,
    labelNames: [...labels],
    registers: [registry],
  });
  return {
    counter: (name, help, labels) => {
      const counter = new PromCounter(common(name, help, labels));
      return { inc: (values = {}, by = 1) => counter.inc(values, by) };
    },
    gauge: (name, help, labels) => {
      const gauge = new PromGauge(common(name, help, labels));
      return { set: (value, values = {}) => gauge.set(values, value) };
    },
    histogram: (name, help, labels, buckets) => {
      const histogram = new PromHistogram({
        ...common(name, help, labels),
        ...(buckets === undefined ? {} : { buckets: [...buckets] }),
      });
      return { observe: (value, values = {}) => histogram.observe(values, value) };
    },
    render: () => registry.metrics(),
  };
};
