import { afterEach, describe, expect, test, vi } from 'vitest';
import { Phase } from '../../proto/gen/enclave_licensing/licensing/v1/licensing.ts';
import { type FrontFixture, follow, launchRequest, startFrontFixture } from '../support/front-fixture.ts';
import type { FrontLimits } from '../support/front-under-test.ts';

/** What front does by itself takes as long as the machine is busy. */
const settled = <T>(look: () => T | Promise<T>): Promise<T> => vi.waitFor(look, 15_000);

let fixture: FrontFixture;
async function start(limits: FrontLimits = {}) {
  fixture = await startFrontFixture(limits);
  return { ada: await fixture.token('ada') };
}
afterEach(() => fixture.close());

const PHASES = [2, 3, 4, 5, 6, 7] as const;

describe('the launcher dies', () => {
  test('at every phase of one launch, and the launch ends in ready', async () => {
    const { ada } = await start();
    fixture.launcher.holdAt = Phase.PHASE_CREATED;
    const died: number[] = [];
    const { phases, enclave } = await follow(fixture.client().launch(launchRequest(), ada), async (phase) => {
      if (phase < 2 || died.includes(phase)) return;
      died.push(phase);
      await fixture.launcher.kill();
      fixture.launcher.holdAt = PHASES.find((each) => each > phase);
      await fixture.launcher.start();
    });
    expect(died).toEqual([...PHASES]);
    expect(phases).toEqual([1, ...PHASES]);
    expect([...fixture.launcher.pods]).toEqual([enclave]);
  });

  test('and stays away: the launch fails in time, and its seat is held until nothing is left', async () => {
    const { ada } = await start({ launchTimeoutMs: 60_000 });
    fixture.launcher.holdAt = Phase.PHASE_STARTED;
    let killed = false;
    const launching = follow(fixture.client().launch(launchRequest(), ada), async (phase) => {
      // Once: later events name the last phase too, and the launcher that comes back must stay.
      if (phase !== Phase.PHASE_STARTED || killed) return;
      killed = true;
      await fixture.launcher.kill();
      fixture.advance(60_000);
    });
    launching.catch(() => undefined);
    const { store } = fixture.front;
    await settled(async () =>
      expect(await store.enclavesIn(['failing'])).toMatchObject([
        { reasonCode: 'launch-timeout', reason: expect.stringMatching(/last phase reached was started/) },
      ]),
    );
    expect(await store.seatsTaken()).toBe(1);
    expect(fixture.launcher.pods.size).toBe(1);
    await fixture.launcher.start();
    await expect(launching).rejects.toMatchObject({ status: 'DEADLINE_EXCEEDED', code: 'launch-timeout' });
    expect(await store.seatsTaken()).toBe(0);
    expect(fixture.launcher.pods.size).toBe(0);
  });
});

describe('front dies', () => {
  test.each(PHASES)('at phase %i: it goes on by itself, and its client joins again', async (at) => {
    const { ada } = await start();
    const request = launchRequest();
    fixture.launcher.holdAt = at;
    const cut = follow(fixture.client().launch(request, ada), (phase) => {
      if (phase === at) void fixture.restart().then(() => fixture.launcher.release());
    });
    await expect(cut).rejects.toMatchObject({ status: 'UNAVAILABLE' });
    await settled(async () => expect(await fixture.front.store.enclavesIn(['ready'])).toHaveLength(1));
    const { enclave, result } = await follow(fixture.client().launch(request, ada));
    expect(result.enclave?.id).toBe(enclave);
    expect([...fixture.launcher.pods]).toEqual([enclave]);
    expect(await fixture.front.store.seatsTaken()).toBe(1);
  });

  test('while an enclave is being stopped: it is stopped all the same', async () => {
    const { ada } = await start();
    const { enclave } = await follow(fixture.client().launch(launchRequest(), ada));
    fixture.launcher.failStops = true;
    const stopping = fixture.client().stopEnclave({ id: enclave }, ada);
    stopping.catch(() => undefined);
    await settled(async () =>
      expect((await fixture.front.store.findEnclave(enclave))?.state).toBe('stopping'),
    );
    await fixture.restart();
    fixture.launcher.failStops = false;
    await settled(async () =>
      expect((await fixture.front.store.findEnclave(enclave))?.state).toBe('stopped'),
    );
    expect(fixture.launcher.pods.size).toBe(0);
  });
});

test('a front that asks for a pod after another has ended the launch takes the pod back', async () => {
  const { ada } = await start();
  fixture.launcher.holdAt = Phase.PHASE_CREATED;
  const launching = follow(fixture.client().launch(launchRequest(), ada));
  launching.catch(() => undefined);
  await settled(() => expect(fixture.launcher.pods.size).toBe(1));
  const { store } = fixture.front;
  const [record] = await store.enclavesIn(['launching']);
  await store.updateEnclave(record?.id ?? '', ['launching'], { state: 'stopped' }, Date.now());
  await expect(launching).rejects.toMatchObject({ code: 'launch-stopped' });
  expect(fixture.launcher.pods.size).toBe(0);
});

test('pods without a seat are removed, and seats without a pod are freed', async () => {
  const { ada } = await start();
  const { enclave } = await follow(fixture.client().launch(launchRequest(), ada));
  fixture.launcher.pods.add('eorphan');
  await fixture.front.launches.reconcile();
  expect([...fixture.launcher.pods]).toEqual([enclave]);
  expect(fixture.metrics.values.get('orphans_removed_total{}')).toBe(1);
  fixture.launcher.pods.clear();
  await fixture.front.launches.reconcile();
  await settled(async () =>
    expect(await fixture.front.store.findEnclave(enclave)).toMatchObject({
      state: 'failed',
      reasonCode: 'pod-gone',
    }),
  );
  expect(await fixture.front.store.seatsTaken()).toBe(0);
});
