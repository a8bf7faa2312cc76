import { setTimeout as sleep } from 'node:timers/promises';
import type { Probe } from './pod.ts';
import type { ProbeResult } from './probe.ts';

/** Within a period a network probe that has not succeeded yet is tried again this often. */
const EAGER_MS = 50;

export interface ProbeLoop {
  readonly probe: Probe;
  check(): Promise<ProbeResult>;
  /** The outcome so far, counted by the thresholds: called when it changes, and for each counted failure. */
  onOutcome(ok: boolean, message: string): void;
  readonly signal: AbortSignal;
}

/**
 * Probes until the signal aborts or `onOutcome` has had it aborted. Before the first success it does not wait a whole
 * period to see that a container has come up: it asks every 50 ms, and only a period's last answer counts as a
 * failure, so the container's time to start is what the author wrote.
 */
export async function runProbeLoop({ probe, check, onOutcome, signal }: ProbeLoop): Promise<void> {
  const periodMs = (probe.periodSeconds ?? 10) * 1000;
  const eager = probe.exec === undefined;
  let good: boolean | undefined;
  let successes = 0;
  let failures = 0;
  try {
    await sleep((probe.initialDelaySeconds ?? 0) * 1000, undefined, { signal });
    while (!signal.aborted) {
      const periodEnd = performance.now() + periodMs;
      let result = await check();
      while (eager && good !== true && !result.ok && performance.now() + EAGER_MS < periodEnd) {
        await sleep(EAGER_MS, undefined, { signal });
        result = await check();
      }
      if (signal.aborted) return;
      if (result.ok) {
        failures = 0;
        successes += 1;
        if (good !== true && successes >= (probe.successThreshold ?? 1)) {
          good = true;
          onOutcome(true, '');
        }
      } else {
        successes = 0;
        failures += 1;
        if (failures >= (probe.failureThreshold ?? 3)) {
          good = false;
          onOutcome(false, result.message);
        }
      }
      await sleep(Math.max(0, periodEnd - performance.now()), undefined, { signal });
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
