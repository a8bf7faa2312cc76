/** What bench/webhook.ts says to its processes, and what they answer. */

/** `webhook`: the product's; `nothing`: the same server with a handler that reads the body and answers a constant; `json`: it also parses the body. */
export type Served = 'webhook' | 'nothing' | 'json';

export interface ServerSetup {
  readonly serve: Served;
  /** PEM. */
  readonly cert: string;
  readonly key: string;
  /** The answer of handlers that do nothing. */
  readonly answer: string;
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
