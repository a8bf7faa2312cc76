import { createBackoff } from '../../../platform/run/backoff.ts';
import type { Clock } from '../../../platform/run/clock.ts';
import { Failure } from '../../failure.ts';

/** Evidence that was found good. */
export interface Attested {
  /** DER, of the certificate that the evidence is about. */
  readonly certificate: Uint8Array;
  /** When it is too old, by the clock given. */
  readonly until: number;
}

export interface RoundsOptions {
  /** Asks for evidence with a nonce of its own and verifies it; the certificate (DER) that it is about. */
  attest(): Promise<Uint8Array>;
  /** How long evidence counts, in milliseconds. */
  readonly evidenceMs: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** At once; the enclave allows an address twice as many. */
const SLOTS = 8;
/** How long to go on asking an enclave that says it is asked too much. */
const BUSY_MS = 10_000;
const BUSY = new Set(['too-many-requests', 'busy']);

interface Waiting {
  readonly since: number;
  resolve(attested: Attested): void;
  reject(error: unknown): void;
}

/**
 * Attestations, each begun after it was asked for: a round of its own for each, with a nonce of its own. Only in a storm, when more are waiting than can go at once or the last
 * round failed, those that wait share the next one; and after a failure the next round waits, longer each time. So nobody can make this client ask without end.
 */
export function createRounds(options: RoundsOptions): { next(): Promise<Attested> } {
  const { clock, signal } = options;
  const backoff = createBackoff(200, 5_000);
  let waiting: Waiting[] = [];
  let running = 0;
  let pausing = false;
  let failed = false;

  const run = async (round: readonly Waiting[]): Promise<void> => {
    running += 1;
    const asked = clock.now();
    try {
      const certificate = await options.attest();
      failed = false;
      backoff.reset();
      for (const each of round) each.resolve({ certificate, until: asked + options.evidenceMs });
    } catch (error) {
      failed = true;
      const busy = error instanceof Failure && BUSY.has(error.code);
      const patient = busy ? round.filter(({ since }) => clock.now() - since < BUSY_MS) : [];
      for (const each of round) if (!patient.includes(each)) each.reject(error);
      waiting = [...patient, ...waiting];
      if (!pausing) void pause();
    } finally {
      running -= 1;
      start();
    }
  };
  const pause = async (): Promise<void> => {
    pausing = true;
    await backoff.wait(signal);
    pausing = false;
    start();
  };
  const start = (): void => {
    if (signal.aborted) {
      for (const each of waiting.splice(0)) each.reject(new DOMException('aborted', 'AbortError'));
      return;
    }
    while (waiting.length > 0 && running < SLOTS && !pausing) {
      const share = failed ? waiting.length : waiting.length > SLOTS ? Math.ceil(waiting.length / SLOTS) : 1;
      void run(waiting.splice(0, share));
    }
  };
  signal.addEventListener('abort', start, { once: true });

  return {
    next: () =>
      new Promise((resolve, reject) => {
        waiting.push({ since: clock.now(), resolve, reject });
        start();
      }),
  };
}
