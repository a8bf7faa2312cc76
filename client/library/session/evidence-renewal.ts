import { createBackoff } from '../../../platform/run/backoff.ts';
import type { Clock } from '../../../platform/run/clock.ts';
import { explain } from '../../../platform/run/explain.ts';
import { sleep } from '../../../platform/run/sleep.ts';
import { Failure } from '../../failure.ts';
import type { Attested } from './attestation-rounds.ts';
import type { BoundConnections } from './bound-connections.ts';
import { isUnreachable } from './is-unreachable.ts';

export interface RenewalOptions {
  readonly bound: BoundConnections;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Milliseconds from one renewal to the next. */
  readonly renewMs: number;
  /** Good evidence, asked for now. */
  next(): Promise<Attested>;
  onRefused(reason: unknown): void;
  onExpired(connections: number, reason: Failure): void;
  onTrouble(reason: unknown): void;
}

export interface Renewal {
  /** A connection was opened. */
  start(): void;
  /** Evidence was refused to somebody: look at once, when connections are open. */
  now(): void;
}

/** How often it is looked whether evidence has become too old: a timer would sleep with the machine. */
const LOOK_MS = 500;

/**
 * Renews the evidence of open connections, over evidence connections of its own. Refused evidence cuts every connection at once. When nobody can be asked, or the enclave
 * is busy, it is tried again until the evidence at hand is too old; then they are cut as well.
 */
export function createRenewal(options: RenewalOptions): Renewal {
  const { bound, clock, signal } = options;
  let running = false;
  let hurry = new AbortController();
  let trouble: unknown;

  const renew = async (): Promise<void> => {
    const backoff = createBackoff(500, 15_000);
    while (!signal.aborted && bound.size > 0) {
      try {
        await options.next();
        trouble = undefined;
        return;
      } catch (error) {
        if (signal.aborted) return;
        if (!isUnreachable(error)) {
          bound.cutAll(error instanceof Error ? error : new Error(explain(error)));
          return options.onRefused(error);
        }
        if (trouble === undefined) options.onTrouble(error);
        trouble = error;
        await backoff.wait(signal);
      }
    }
  };

  const cutExpired = (): void => {
    const expired = bound.cutExpired(clock.now(), (rotated) =>
      rotated && trouble === undefined ? rotatedAway() : notRenewed(trouble),
    );
    for (const { reason, connections } of expired) options.onExpired(connections, reason);
  };

  const run = async (): Promise<void> => {
    const look = setInterval(cutExpired, LOOK_MS);
    try {
      while (!signal.aborted && bound.size > 0) {
        hurry = new AbortController();
        const early = AbortSignal.any([signal, hurry.signal]);
        const due = clock.now() + options.renewMs;
        // In short turns: it is due after the machine has slept, however long the timer has left.
        while (!early.aborted && bound.size > 0 && clock.now() < due)
          await sleep(Math.min(due - clock.now(), LOOK_MS), early);
        await renew();
      }
    } finally {
      clearInterval(look);
      running = false;
    }
  };

  return {
    start: () => {
      if (running) return;
      running = true;
      void run();
    },
    now: () => hurry.abort(),
  };
}

function rotatedAway(): Failure {
  return new Failure(
    'unreachable',
    'certificate-rotated',
    'the enclave has renewed its certificate, and there is no new evidence of the old one, which this connection was made with',
    'connect again: a new connection gets the new certificate',
  );
}

function notRenewed(trouble: unknown): Failure {
  return new Failure(
    'unreachable',
    'evidence-not-renewed',
    `no new evidence came before the last was too old: ${trouble === undefined ? 'the enclave does not answer' : explain(trouble)}`,
    'connect again when the enclave can be reached',
  );
}
