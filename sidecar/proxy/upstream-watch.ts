import type { HealthCheck } from '../../platform/health/health.ts';
import { explain } from '../../platform/run/explain.ts';
import { sleep } from '../../platform/run/sleep.ts';
import { dialUpstream, type UpstreamAddress } from './upstream.ts';

const WAITING_MS = 250;
const STEADY_MS = 5000;

/** Readiness includes that the app takes connections: dialled often until it does, then now and then. */
export async function watchUpstream(
  address: UpstreamAddress,
  timeoutMs: number,
  check: HealthCheck,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    let wait = STEADY_MS;
    try {
      const socket = await dialUpstream(address, timeoutMs);
      socket.destroy();
      check.ok();
    } catch (error) {
      check.fail(`the app does not take connections: ${explain(error)}`);
      wait = WAITING_MS;
    }
    if (!(await sleep(wait, signal))) return;
  }
}
