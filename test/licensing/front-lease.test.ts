import { expect, test } from 'vitest';
import { FrontLease } from '../../licensing/front/front-lease.ts';
import type { LivingFronts, Store } from '../../licensing/store/store.ts';
import { silentLogger } from '../../platform/log/logger.ts';

/** A store that knows of fronts, and takes its time to say so. */
function setUp() {
  const clock = { ms: Date.now(), now: () => clock.ms };
  const store = {
    living: { count: 2, eldest: true } as LivingFronts,
    takes: 0,
    leaseMs: 0,
    left: [] as string[],
    renewFront: async (_front: string, leaseMs: number): Promise<LivingFronts> => {
      store.leaseMs = leaseMs;
      clock.ms += store.takes;
      return store.living;
    },
    leaveFront: async (front: string): Promise<void> => void store.left.push(front),
  };
  const lease = new FrontLease({
    store: store as unknown as Store,
    log: silentLogger,
    check: undefined,
    clock,
  });
  return { clock, store, lease };
}

test('a front holds what the store granted, and nothing before it has asked', async () => {
  const { store, lease } = setUp();
  expect([lease.held, lease.eldest]).toEqual([false, false]);
  await lease.renew();
  expect([lease.held, lease.eldest, lease.fronts]).toEqual([true, true, 2]);
  store.living = { count: 0, eldest: false };
  await lease.renew();
  expect([lease.held, lease.eldest, lease.fronts]).toEqual([true, false, 1]);
  await lease.leave();
  expect([lease.held, store.left]).toEqual([false, [lease.name]]);
});

test('a machine that slept for longer than the lease has nothing, though no timer has run; nor does a clock that goes back give it again', async () => {
  const { clock, store, lease } = setUp();
  await lease.renew();
  clock.ms += store.leaseMs - 1_000;
  expect(lease.held).toBe(true);
  clock.ms += 1_000;
  expect([lease.held, lease.eldest]).toEqual([false, false]);
  clock.ms -= 3_600_000;
  expect(lease.held).toBe(false);
});

test('the lease counts from the question, not from the answer: the store’s own is never over before it', async () => {
  const { clock, store, lease } = setUp();
  store.takes = 4_000;
  await lease.renew();
  clock.ms += store.leaseMs - store.takes;
  expect(lease.held).toBe(false);
});
