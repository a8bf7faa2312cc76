import type { HealthCheck } from '../../platform/health/health.ts';
import type { Logger } from '../../platform/log/logger.ts';
import type { Metrics } from '../../platform/metrics/metrics.ts';
import { createBackoff } from '../../platform/run/backoff.ts';
import { type Clock, unixSeconds } from '../../platform/run/clock.ts';
import { explain } from '../../platform/run/explain.ts';
import { sleep } from '../../platform/run/sleep.ts';
import type { Credential } from './credential.ts';
import { rotation } from './rotation.ts';

export interface Keeping {
  /** One attempt; throws when it fails. */
  obtain(signal: AbortSignal): Promise<Credential>;
  /** From now on this credential serves. */
  activate(credential: Credential): Promise<void>;
  /** The certificate has expired and there is no other: no new connection. */
  expire(): void;
  readonly check: HealthCheck;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

const LONGEST_SLEEP_MS = 3_600_000;

/**
 * Obtains the first certificate and renews it at two thirds of its life, for as long as the signal lets it.
 * @throws what `activate` throws
 */
export async function keepCertified(keeping: Keeping): Promise<void> {
  const { check, log, metrics, clock, signal } = keeping;
  const attempts = metrics.counter('certificates_total', 'Attempts to get a certificate.', ['outcome']);
  const expiry = metrics.gauge('certificate_not_after_seconds', 'End of the certificate, unix seconds.');
  const took = metrics.histogram('attestation_seconds', 'Time from a new key to its first quote.');
  const backoff = createBackoff(200, 15_000);
  let current: Credential | undefined;
  let random = Math.random();
  let expired = false;
  while (!signal.aborted) {
    const now = unixSeconds(clock);
    const state = current === undefined ? undefined : rotation(current, now, random);
    if (state?.state === 'good') {
      const ms = Math.min((state.renewAt - now) * 1000, LONGEST_SLEEP_MS);
      await sleep(Math.max(ms, 250), signal);
      continue;
    }
    if (state?.state === 'expired' && !expired) {
      expired = true;
      keeping.expire();
      check.fail('the certificate has expired and no new one could be got');
      log.error({}, 'certificate expired: no new connection is taken');
    }
    const start = performance.now();
    let next: Credential;
    try {
      next = await keeping.obtain(signal);
    } catch (error) {
      if (signal.aborted) return;
      attempts.inc({ outcome: 'failed' });
      const reason = explain(error);
      if (current === undefined) check.fail(`no certificate yet: ${reason}`);
      log.warn({ reason }, 'no new certificate yet');
      await backoff.wait(signal);
      continue;
    }
    // A port that cannot be had is no matter of patience: it ends the process, and the kubelet shows why.
    await keeping.activate(next);
    current = next;
    backoff.reset();
    random = Math.random();
    expired = false;
    const milliseconds = Math.round(performance.now() - start);
    took.observe(milliseconds / 1000);
    attempts.inc({ outcome: 'issued' });
    expiry.set(current.notAfter);
    check.ok();
    log.info(
      { notAfter: new Date(current.notAfter * 1000).toISOString(), milliseconds },
      'certified and attested',
    );
  }
}
