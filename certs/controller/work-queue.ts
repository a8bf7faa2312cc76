import { type Backoff, createBackoff } from '../../platform/run/backoff.ts';

export interface WorkQueue {
  /** Puts a key in line; one that waits already is not put twice, one being worked on is worked on again afterwards. */
  add(key: string): void;
  /** Resolves when nothing is being worked on, after the signal aborted. */
  readonly ended: Promise<void>;
}

export interface WorkQueueOptions {
  readonly concurrency: number;
  readonly signal: AbortSignal;
  /** A throw means "try again": the key comes back after a pause that grows. */
  work(key: string): Promise<void>;
  onRetry(key: string, error: unknown): void;
  /** How many keys wait or are worked on, whenever that changes; those that pause before another attempt are not among them. */
  onLength?(length: number): void;
}

/** Keys, each worked on by one at a time. */
export function createWorkQueue(options: WorkQueueOptions): WorkQueue {
  const { concurrency, signal, work, onRetry, onLength } = options;
  const waiting = new Set<string>();
  const active = new Set<string>();
  const again = new Set<string>();
  const pauses = new Map<string, Backoff>();
  const ended = Promise.withResolvers<void>();
  const settle = (): void => {
    if (signal.aborted && active.size === 0) ended.resolve();
  };
  signal.addEventListener('abort', settle, { once: true });

  const finish = (key: string): void => {
    active.delete(key);
    if (again.delete(key)) waiting.add(key);
    settle();
    next();
  };
  const attempt = async (key: string): Promise<void> => {
    try {
      await work(key);
      pauses.delete(key);
    } catch (error) {
      if (signal.aborted) return;
      onRetry(key, error);
      const pause = pauses.get(key) ?? createBackoff(100, 30_000);
      pauses.set(key, pause);
      void pause.wait(signal).then((passed) => passed && add(key));
    }
  };
  const next = (): void => {
    for (const key of waiting) {
      if (signal.aborted || active.size >= concurrency) break;
      waiting.delete(key);
      active.add(key);
      void attempt(key).finally(() => finish(key));
    }
    onLength?.(waiting.size + active.size);
  };
  const add = (key: string): void => {
    if (active.has(key)) again.add(key);
    else waiting.add(key);
    next();
  };
  return { add, ended: ended.promise };
}
