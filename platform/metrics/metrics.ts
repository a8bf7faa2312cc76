export type Labels = Readonly<Record<string, string>>;

export interface Counter {
  inc(labels?: Labels, by?: number): void;
}
export interface Gauge {
  set(value: number, labels?: Labels): void;
}
export interface Histogram {
  /** Seconds, unless the name says otherwise. */
  observe(value: number, labels?: Labels): void;
}

/**
 * A component's metrics. Names are given without the prefix `enclave_<component>_`. Label values come from closed sets: never a user, pod or
 * address, whose number nothing bounds.
 */
export interface Metrics {
  counter(name: string, help: string, labels?: readonly string[]): Counter;
  gauge(name: string, help: string, labels?: readonly string[]): Gauge;
  histogram(name: string, help: string, labels?: readonly string[], buckets?: readonly number[]): Histogram;
  /** Prometheus text format 0.0.4. */
  render(): Promise<string>;
}

/** How `run` is given metrics: prom-client for most components, a small one in the sidecar. */
export type MetricsFactory = (prefix: string) => Metrics;
