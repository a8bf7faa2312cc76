import type { HealthCheck } from '../../platform/health/health.ts';
import type { Logger } from '../../platform/log/logger.ts';
import type { Metrics } from '../../platform/metrics/metrics.ts';
import { createBackoff } from '../../platform/run/backoff.ts';
import { type Clock, unixSeconds } from '../../platform/run/clock.ts';
import { explain } from '../../platform/run/explain.ts';
import { type Credential, UnusableCertificate } from './credential.ts';
import { failureCode, lifeMetrics } from './life-metrics.ts';
import { rotation } from './rotation.ts';
import { steadyClock } from './steady-clock.ts';
import { type Sleep, waitUntil } from './wait-until.ts';

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
  /** Monotonic milliseconds. */
  elapsed(): number;
  readonly sleep: Sleep;
  /** 0 to 1, asked once a certificate. */
  random(): number;
  readonly signal: AbortSignal;
}

/**
 * Obtains the first certificate and renews it at two thirds of its life, for as long as the signal lets it. The old one serves until it ends, on
 * its own time: neither a hanging attempt nor a clock that was set moves that.
 * @throws when the port cannot be had
 */
export async function keepCertified(keeping: Keeping): Promise<void> {
  const { check, log, clock, elapsed, sleep, signal } = keeping;
  const metrics = lifeMetrics(keeping.metrics);
  const backoff = createBackoff(200, 15_000);
  let expired = false;
  let superseded = new AbortController();
  let failures = 0;
  let reason = '';

  const say = (serving: boolean): void => {
    if (expired) check.fail(`the certificate has expired and no new one could be got: ${reason}`);
    else if (!serving) check.fail(`no certificate yet: ${reason}`);
    else check.ok(failures === 0 ? undefined : `not renewed after ${failures} attempts: ${reason}`);
  };

  /** One new certificate that serves, after as many attempts as it takes; undefined when the signal aborted. */
  const obtain = async (serving: boolean): Promise<Credential | undefined> => {
    for (;;) {
      try {
        const next = await keeping.obtain(signal);
        if (signal.aborted) return undefined;
        refuseIfNotValid(next, unixSeconds(clock));
        await keeping.activate(next);
        return next;
      } catch (error) {
        if (signal.aborted) return undefined;
        // A port that cannot be had is no matter of patience: it ends the process, and the kubelet shows why.
        if (error instanceof Error && 'syscall' in error && error.syscall === 'listen') throw error;
        failures += 1;
        reason = explain(error);
        metrics.attempts.inc({ outcome: 'failed' });
        metrics.failures.inc({ code: failureCode(error) });
        metrics.failing.set(failures);
        say(serving);
        log.warn({ code: failureCode(error), reason, failures }, 'no new certificate yet');
        if (!(await backoff.wait(signal))) return undefined;
      }
    }
  };

  const expireAtItsEnd = (credential: Credential, steady: Clock): void => {
    superseded = new AbortController();
    const over = AbortSignal.any([signal, superseded.signal]);
    void waitUntil(steady, credential.notAfter * 1000, sleep, over).then((reached) => {
      if (!reached) return;
      expired = true;
      keeping.expire();
      say(false);
      log.error({ reason }, 'certificate expired: no new connection is taken');
    });
  };

  for (let serving = false; !signal.aborted; serving = true) {
    const begun = elapsed();
    const next = await obtain(serving);
    if (next === undefined) return;
    superseded.abort();
    const milliseconds = Math.round(elapsed() - begun);
    const steady = steadyClock(clock, elapsed);
    expired = false;
    failures = 0;
    expireAtItsEnd(next, steady);
    say(true);
    metrics.took.observe(milliseconds / 1000);
    metrics.attempts.inc({ outcome: 'issued' });
    metrics.failing.set(0);
    metrics.notAfter.set(next.notAfter);
    const notAfter = new Date(next.notAfter * 1000).toISOString();
    log.info({ notAfter, milliseconds, ...next.steps }, 'certified and attested');
    const state = rotation(next, unixSeconds(steady), keeping.random());
    if (state.state === 'good') {
      backoff.reset();
      await waitUntil(steady, state.renewAt * 1000, sleep, signal);
      // Renewal is due as soon as it came: its issuer is about to end. It serves, and nobody is asked in a tight loop.
    } else await backoff.wait(signal);
  }
}

/** Renewing could not mend it: each new certificate would look the same to a clock that is wrong. */
function refuseIfNotValid(credential: Credential, now: number): void {
  if (rotation(credential, now, 0).state !== 'invalid') return;
  const { notBefore, notAfter } = credential;
  const [from, to, at] = [notBefore, notAfter, now].map((seconds) => new Date(seconds * 1000).toISOString());
  throw new UnusableCertificate(
    `it is valid from ${from} to ${to}, and this node’s clock says ${at}: set the clock`,
  );
}
