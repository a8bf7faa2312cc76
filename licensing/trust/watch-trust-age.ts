import type { HealthCheck } from '../../platform/health/health.ts';
import { sleep } from '../../platform/run/sleep.ts';
import type { TrustHolder } from '../../platform/trust/trust-holder.ts';

export interface WatchTrustAgeOptions {
  readonly holder: Pick<TrustHolder, 'ageMs' | 'onChange'>;
  readonly limitMs: number;
  readonly check: HealthCheck;
  readonly signal: AbortSignal;
}

const LOOK_MS = 1_000;

/** Readiness includes a trust document that is there and young enough. Ends with the signal. */
export async function watchTrustAge({ holder, limitMs, check, signal }: WatchTrustAgeOptions): Promise<void> {
  const look = (): void => {
    const { ageMs } = holder;
    if (ageMs === undefined) return;
    if (ageMs > limitMs) check.fail(`trust-document-stale: the newest is older than ${limitMs / 1000} s`);
    else check.ok();
  };
  const stop = holder.onChange(look);
  do look();
  while (await sleep(LOOK_MS, signal));
  stop();
}
