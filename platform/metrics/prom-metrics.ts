import {
  collectDefaultMetrics,
  Counter as PromCounter,
  Gauge as PromGauge,
  Histogram as PromHistogram,
  Registry,
} from 'prom-client';
import type { Counter, Gauge, Histogram, Metrics, MetricsFactory } from './metrics.ts';

/**
 * Metrics by prom-client, with its process metrics under the same prefix, in a registry of their own. One that is asked for again is the one that there is: what a
 * process begins anew counts on.
 */
export const promMetrics: MetricsFactory = (prefix): Metrics => {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, prefix });
  const common = (name: string, help: string, labels: readonly string[] = []) => ({
    name: prefix + name,
    help,
    labelNames: [...labels],
    registers: [registry],
  });
  const counters = once<Counter>((name, help, labels) => {
    const counter = new PromCounter(common(name, help, labels));
    return { inc: (values = {}, by = 1) => counter.inc(values, by) };
  });
  const gauges = once<Gauge>((name, help, labels) => {
    const gauge = new PromGauge(common(name, help, labels));
    return { set: (value, values = {}) => gauge.set(values, value) };
  });
  const histograms = once<Histogram>((name, help, labels, buckets) => {
    const histogram = new PromHistogram({
      ...common(name, help, labels),
      ...(buckets === undefined ? {} : { buckets: [...buckets] }),
    });
    return { observe: (value, values = {}) => histogram.observe(values, value) };
  });
  return {
    counter: counters,
    gauge: gauges,
    histogram: histograms,
    render: () => registry.metrics(),
  };
};

type Make<T> = (name: string, help: string, labels?: readonly string[], buckets?: readonly number[]) => T;

function once<T>(make: Make<T>): Make<T> {
  const made = new Map<string, T>();
  return (name, ...rest) => {
    const metric = made.get(name) ?? make(name, ...rest);
    made.set(name, metric);
    return metric;
  };
}
