/** What bench/webhook.ts says to its processes, and what they answer. */

/**
 * `webhook`: the product's. `admits`: the same server, with a handler that does nothing with what fastify hands it, the parsed review, and lets the pod
 * pass. `constant`: it does not even parse, and answers as many bytes as the product.
 */
export type Served = 'webhook' | 'admits' | 'constant';

export interface ServerSetup {
  readonly serve: Served;
  /** PEM. */
  readonly cert: string;
  readonly key: string;
  /** What `constant` answers. */
  readonly answer: string;
  /** The text of the roots that are injected. */
  readonly roots: string;
}

/** Of the server's process: after a collection of garbage. */
export interface ServerReport {
  readonly port: number;
  /** Seconds. */
  readonly cpu: number;
  readonly heapBytes: number;
  readonly residentBytes: number;
}

export interface LoadTask {
  readonly port: number;
  /** PEM. */
  readonly ca: string;
  readonly serverName: string;
  readonly body: string;
  readonly connections: number;
  /** Requests in all, or as many as fit into the time. */
  readonly requests?: number;
  readonly ms?: number;
  /** Open loop: so many a second, whether or not the ones before are answered. Otherwise each connection asks when it was answered. */
  readonly perSecond?: number;
}

export interface LoadReport {
  readonly done: number;
  readonly seconds: number;
  /** Milliseconds from when a request was due, sorted; absent when requests are many. */
  readonly latencies: readonly number[];
  /** The last answer's body. */
  readonly answer: string;
}
