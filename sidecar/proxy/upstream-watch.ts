import type { HealthCheck } from '../../platform/health/health.ts';
import { explain } from '../../platform/run/explain.ts';
import { sleep } from '../../platform/run/sleep.ts';
import { dialUpstream, type UpstreamAddress } from './upstream.ts';

/** Until the app is there for the first time, and again: the kubelet's probe is held so long, and a launch waits for it. */
const STARTING_MS = 50;
const WAITING_MS = 250;
const STEADY_MS = 5000;

/** Readiness includes that the app takes connections: dialled often until it does, then now and then. */
export async function watchUpstream(
  address: UpstreamAddress,
  timeoutMs: number,
  check: HealthCheck,
  signal: AbortSignal,
): Promise<void> {
  let waiting = STARTING_MS;
  for (;;) {
    let wait = STEADY_MS;
    try {
      const socket = await dialUpstream(address, timeoutMs);
      socket.destroy();
      check.ok();
      waiting = WAITING_MS;
    } catch (error) {
      check.fail(`the app does not take connections: ${explain(error)}`);
      wait = waiting;
    }
    if (!(await sleep(wait, signal))) return;
  }
}
