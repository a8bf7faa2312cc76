import { afterEach, expect, test } from 'vitest';
import { createHealth } from '../../platform/health/health.ts';
import { AgentError } from '../../sidecar/agent/agent-error.ts';
import { createKeyPair } from '../../sidecar/key/key-pair.ts';
import type { Credential } from '../../sidecar/life/credential.ts';
import { keepCertified } from '../../sidecar/life/keep-certified.ts';
import { rotation } from '../../sidecar/life/rotation.ts';
import { recordingLogger } from '../support/recording-logger.ts';
import { recordingMetrics } from '../support/recording-metrics.ts';
import { until } from '../support/until.ts';

const DAY = 86_400;
const START = 1_800_000_000;
const key = createKeyPair('p256');
const stop: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const each of stop.splice(0)) await each();
});

/** `keepCertified` in a time of its own: sleeping lets it pass, the wall clock can be set. */
function life(issue: (wall: () => number) => Pick<Credential, 'notBefore' | 'notAfter'>) {
  let passed = 0;
  let offset = START * 1000;
  const wall = () => Math.floor((offset + passed) / 1000);
  const sleepers = new Set<{ at: number; wake(): void }>();
  const abort = new AbortController();
  const health = createHealth();
  const metrics = recordingMetrics();
  const { log } = recordingLogger();
  const seen = { attempts: 0, active: [] as Credential[], expired: 0, hang: false, unfit: false };
  const done = keepCertified({
    obtain: async (signal) => {
      seen.attempts += 1;
      if (seen.hang) await new Promise((_, reject) => signal.addEventListener('abort', () => reject()));
      const steps = { key: 0, prove: 0, certify: 0, quote: 0 };
      return { key, steps, chain: [], request: new Uint8Array(0), ...issue(wall) };
    },
    activate: async (credential) => {
      if (seen.unfit) throw new Error('no such context');
      seen.active.push(credential);
    },
    expire: () => {
      seen.expired += 1;
    },
    check: health.check('certificate'),
    log,
    metrics,
    clock: { now: () => offset + passed },
    elapsed: () => passed,
    random: () => 0,
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        const over = (passed: boolean) => () => {
          sleepers.delete(sleeper);
          signal.removeEventListener('abort', aborted);
          resolve(passed);
        };
        const aborted = over(false);
        const sleeper = { at: passed + ms, wake: over(true) };
        sleepers.add(sleeper);
        signal.addEventListener('abort', aborted);
      }),
    signal: abort.signal,
  });
  stop.push(async () => {
    abort.abort();
    await done;
  });
  return {
    seen,
    metrics,
    line: () => health.ready().lines[0] ?? '',
    ready: () => health.ready().ok,
    setClock: (seconds: number) => {
      offset += seconds * 1000;
    },
    /** Time passes, each sleeper waking at its moment. */
    pass: async (seconds: number) => {
      const end = passed + seconds * 1000;
      for (;;) {
        for (let turn = 0; turn < 8; turn += 1) await Promise.resolve();
        const next = Math.min(...[...sleepers].map(({ at }) => at));
        if (next > end) break;
        passed = Math.max(passed, next);
        for (const sleeper of sleepers) if (sleeper.at <= passed) sleeper.wake();
      }
      passed = end;
    },
  };
}

const lasting = (seconds: number) => (wall: () => number) => ({
  notBefore: wall(),
  notAfter: wall() + seconds,
});

test('renews at two thirds, a little earlier at random; what is over or not begun is no certificate', () => {
  const certificate = { notBefore: 1000, notAfter: 4000 };
  expect(rotation(certificate, 1000, 0)).toEqual({ state: 'good', renewAt: 3000 });
  expect(rotation(certificate, 1000, 1)).toEqual({ state: 'good', renewAt: 2850 });
  expect(rotation(certificate, 3000, 0).state).toBe('renew');
  for (const now of [999, 4000]) expect(rotation(certificate, now, 0).state).toBe('invalid');
});

test.each([600, 720 * 3600])('a lifetime of %i s is renewed at two thirds of it', async (seconds) => {
  const { pass, seen } = life(lasting(seconds));
  await pass(seconds * (2 / 3) - 2);
  expect(seen.active.length).toBe(1);
  await pass(4);
  expect(seen.active.length).toBe(2);
});

test('a clock that is set back does not make a certificate last longer', async () => {
  const { pass, seen, setClock } = life((wall) => ({ notBefore: wall() - DAY, notAfter: wall() + DAY }));
  await pass(1);
  setClock(-DAY / 2);
  seen.hang = true;
  await pass(DAY - 10);
  expect(seen.attempts).toBe(2);
  expect(seen.expired).toBe(0);
  await pass(20);
  expect(seen.expired).toBe(1);
});

test('a clock that is set forward is believed within seconds', async () => {
  const { pass, seen, setClock } = life(lasting(DAY));
  await pass(10);
  setClock(DAY * 0.7);
  await pass(20);
  expect(seen.active.length).toBe(2);
});

test('an attempt that hangs does not keep an ended certificate serving', async () => {
  const { pass, seen, ready, line } = life(lasting(600));
  await pass(10);
  expect(ready()).toBe(true);
  seen.hang = true;
  await pass(585);
  expect(seen.expired).toBe(0);
  await pass(10);
  expect(seen.expired).toBe(1);
  expect(ready()).toBe(false);
  expect(line()).toContain('the certificate has expired');
});

test('a certificate that makes no TLS context is one more failed attempt: the old one serves on', async () => {
  const { pass, seen, line, ready } = life(lasting(600));
  await pass(10);
  seen.unfit = true;
  await pass(400);
  await until('two attempts', async () => seen.attempts >= 3);
  expect(ready()).toBe(true);
  expect(line()).toMatch(/^certificate: ok; not renewed after \d attempts: no such context/);
  seen.unfit = false;
  await until('a certificate', async () => seen.active.length === 2);
  expect(seen.expired).toBe(0);
});

test('a certificate that this clock calls invalid is not used, and not asked for in a tight loop', async () => {
  const { seen, metrics, line } = life(() => ({ notBefore: START - DAY, notAfter: START - 1 }));
  await until('two attempts', async () => seen.attempts >= 2);
  expect(seen.active).toEqual([]);
  expect(line()).toMatch(/no certificate yet: .*this node’s clock says .*: set the clock/);
  expect(metrics.values.get('certificate_failures_total{code="certificate-unusable"}')).toBeGreaterThan(0);
  expect(seen.attempts).toBeLessThan(10);
});

test('a certificate that is due for renewal as it comes serves, and is not renewed in a tight loop', async () => {
  const begun = performance.now();
  const { seen } = life((wall) => ({ notBefore: wall() - 300, notAfter: wall() + 60 }));
  await until('three certificates', async () => seen.active.length >= 3);
  // Two waits, of 100 ms and 200 ms at least.
  expect(performance.now() - begun).toBeGreaterThan(250);
});

test('refusals: the agent’s code in readiness and metrics, ready while the old certificate serves', async () => {
  let refuse = false;
  const { seen, pass, line, ready, metrics } = life((wall) => {
    if (refuse)
      throw new AgentError('the agent refuses (certificate-denied): no', { code: 'certificate-denied' });
    return lasting(600)(wall);
  });
  await pass(1);
  expect(line()).toBe('certificate: ok');
  refuse = true;
  await pass(405);
  await until('two refusals', async () => seen.attempts >= 3);
  expect(ready()).toBe(true);
  expect(line()).toMatch(
    /^certificate: ok; not renewed after \d attempts: the agent refuses \(certificate-denied\)/,
  );
  expect(metrics.values.get('certificate_failures_total{code="certificate-denied"}')).toBeGreaterThanOrEqual(
    2,
  );
  await pass(200);
  expect(line()).toMatch(/^certificate: the certificate has expired .*certificate-denied/);
  refuse = false;
  await until('recovery', async () => ready());
  expect(line()).toBe('certificate: ok');
  expect(metrics.values.get('certificate_failures{}')).toBe(0);
});
