import { expect, test } from 'vitest';
import { Failure } from '../../client/failure.ts';
import { createRounds } from '../../client/library/session/attestation-rounds.ts';
import { elapsedClock } from '../../platform/run/elapsed-clock.ts';
import { until } from '../support/until.ts';

const certificate = Uint8Array.of(1);

function rounds(attest: () => Promise<Uint8Array>) {
  const abort = new AbortController();
  let asked = 0;
  const made = createRounds({
    attest: () => {
      asked += 1;
      return attest();
    },
    evidenceMs: 1_000,
    clock: elapsedClock(),
    signal: abort.signal,
  });
  return { ...made, abort, asked: () => asked };
}

test('in a storm those that wait share rounds that begin after they came: bounded, and nobody is forgotten', async () => {
  const open: (() => void)[] = [];
  const { next, asked } = rounds(() => new Promise((resolve) => open.push(() => resolve(certificate))));
  const storm = Array.from({ length: 1_000 }, next);
  expect(asked()).toBe(8);
  // A round that began before is no evidence for who comes now.
  const late = next();
  let done = false;
  void late.then(() => {
    done = true;
  });
  for (const each of open.splice(0, 7)) each();
  await until('the next rounds began', async () => asked() > 8);
  expect(done).toBe(false);
  for (let answered = false; !answered; ) {
    for (const each of open.splice(0)) each();
    answered = await Promise.race([
      Promise.all([...storm, late]).then(() => true),
      new Promise<false>((resolve) => setImmediate(() => resolve(false))),
    ]);
  }
  expect(asked()).toBeLessThan(60);
});

test('after a failure the next round waits, longer each time, and those that wait share it', async () => {
  const { next, asked } = rounds(() => Promise.reject(new Failure('unreachable', 'away', 'away', '')));
  const start = performance.now();
  let failed = 0;
  // Programs that connect again the moment they are refused.
  const stubborn = Array.from({ length: 20 }, async () => {
    while (performance.now() - start < 1_000) await next().catch(() => (failed += 1));
  });
  await Promise.all(stubborn);
  expect(failed).toBeGreaterThanOrEqual(20);
  expect(asked()).toBeLessThan(25);
});

test('an enclave that is asked too much is asked again, and the caller does not hear of it', async () => {
  let busy = 2;
  const { next, asked } = rounds(async () => {
    busy -= 1;
    if (busy >= 0) throw new Failure('unreachable', 'too-many-requests', 'too much', '');
    return certificate;
  });
  await expect(next()).resolves.toMatchObject({ certificate });
  expect(asked()).toBe(3);
});

test('Ctrl-C ends whoever waits, also between two rounds', async () => {
  const { next, abort } = rounds(() => Promise.reject(new Failure('unreachable', 'away', 'away', '')));
  await expect(next()).rejects.toMatchObject({ code: 'away' });
  const waiting = next();
  abort.abort();
  await expect(waiting).rejects.toMatchObject({ name: 'AbortError' });
});
