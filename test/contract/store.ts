import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { NewEnclave } from '../../licensing/store/enclave-record.ts';
import type { Store } from '../../licensing/store/store.ts';

/** One place where a store's data lives: opened more than once, so that what is there after a restart can be seen. */
export interface StorePlace {
  open(): Promise<Store>;
  remove(): Promise<void>;
}

/** The front of most tests. */
const FRONT = 'front-1';

let counter = 0;
function someEnclave(user: string, change: Partial<NewEnclave> = {}): NewEnclave {
  counter += 1;
  return {
    id: `e${counter}`,
    user,
    launchId: randomBytes(16),
    profile: 'small',
    ownerKeySha256: 'ab'.repeat(32),
    nonce: randomBytes(32),
    certificateRequest: randomBytes(300),
    ...change,
  };
}

/** What front relies on, whatever the database. */
export function storeContract(name: string, makePlace: () => Promise<StorePlace>): void {
  describe(`store contract: ${name}`, () => {
    let place: StorePlace;
    let store: Store;
    beforeEach(async () => {
      place = await makePlace();
      store = await place.open();
      await store.createUser({ name: 'ada', passwordKey: new Uint8Array(96).fill(7) }, 2, 1000);
    });
    afterEach(async () => {
      await store.close();
      await place.remove();
    });

    test('a user is written once, and is there after a restart', async () => {
      expect(await store.createUser({ name: 'ada', passwordKey: new Uint8Array(96) }, 9, 2000)).toMatchObject(
        { ok: false, code: 'user-exists' },
      );
      await store.close();
      store = await place.open();
      expect(await store.findUser('ada')).toEqual({ name: 'ada', passwordKey: new Uint8Array(96).fill(7) });
      expect(await store.findUser('Ada')).toBeUndefined();
    });

    test('a seat and its launch are taken together, up to the licence, and freed when finished', async () => {
      const first = await store.takeSeat(someEnclave('ada'), FRONT, 1);
      const second = await store.takeSeat(someEnclave('ada'), FRONT, 2);
      if (!first.ok || !second.ok) throw new Error('two seats were there');
      expect(await store.takeSeat(someEnclave('ada'), FRONT, 3)).toMatchObject({
        ok: false,
        code: 'no-seat',
      });
      for (const state of ['ready', 'stopping', 'failing'] as const) {
        await store.updateEnclave(first.value.record.id, ['launching', 'ready', 'stopping'], { state }, 4);
        expect(await store.takeSeat(someEnclave('ada'), FRONT, 5)).toMatchObject({
          ok: false,
          code: 'no-seat',
        });
      }
      await store.updateEnclave(first.value.record.id, ['failing'], { state: 'failed' }, 6);
      expect(await store.seatsTaken()).toBe(1);
      expect((await store.takeSeat(someEnclave('ada'), FRONT, 7)).ok).toBe(true);
      expect(await store.seatsTaken()).toBe(2);
    });

    test('many at once take no more seats than there are', async () => {
      const results = await Promise.all(
        Array.from({ length: 20 }, () => store.takeSeat(someEnclave('ada'), FRONT, 1)),
      );
      expect(results.filter((each) => each.ok)).toHaveLength(2);
    });

    test('the same launch id joins the same launch, of one user, one profile and one key', async () => {
      const launch = someEnclave('ada');
      const first = await store.takeSeat(launch, FRONT, 1);
      const again = await store.takeSeat({ ...launch, nonce: randomBytes(16) }, FRONT, 2);
      expect(first).toMatchObject({ ok: true, value: { created: true } });
      expect(again).toMatchObject({
        ok: true,
        value: {
          created: false,
          record: { id: launch.id, createdAt: 1, nonce: new Uint8Array(launch.nonce) },
        },
      });
      expect(await store.seatsTaken()).toBe(1);
      for (const change of [{ profile: 'large' }, { ownerKeySha256: 'cd'.repeat(32) }])
        expect(await store.takeSeat({ ...launch, ...change }, FRONT, 3)).toMatchObject({
          ok: false,
          code: 'launch-id-reused',
        });
      await store.createUser({ name: 'bob', passwordKey: new Uint8Array(96) }, 1, 1);
      expect(await store.takeSeat({ ...launch, id: 'other', user: 'bob' }, FRONT, 4)).toMatchObject({
        ok: true,
        value: { created: true },
      });
    });

    test('nobody without a licence has a seat', async () => {
      expect(await store.takeSeat(someEnclave('nobody'), FRONT, 1)).toMatchObject({
        ok: false,
        code: 'unknown-user',
      });
      await store.createUser({ name: 'guest', passwordKey: new Uint8Array(96) }, 0, 1);
      expect(await store.takeSeat(someEnclave('guest'), FRONT, 1)).toMatchObject({
        ok: false,
        code: 'no-seat',
      });
    });

    test('a change applies only from the states it was decided on, and survives a restart', async () => {
      const launch = someEnclave('ada');
      await store.takeSeat(launch, FRONT, 1);
      expect(await store.updateEnclave(launch.id, ['ready'], { state: 'stopping' }, 2)).toBeUndefined();
      const change = {
        state: 'ready',
        phase: 7,
        message: 'it is ready',
        namespace: 'apps',
        endpoint: '10.0.0.9:8443',
        serverName: 'e.enclaves',
        profileSpec: '{}',
        attendedAt: 5,
        delivered: true,
      } as const;
      await store.updateEnclave(launch.id, ['launching'], change, 6);
      await store.close();
      store = await place.open();
      expect(await store.findEnclave(launch.id)).toEqual({
        ...launch,
        launchId: new Uint8Array(launch.launchId),
        nonce: new Uint8Array(launch.nonce),
        certificateRequest: new Uint8Array(launch.certificateRequest),
        ...change,
        driver: '',
        reason: '',
        reasonCode: '',
        createdAt: 1,
        updatedAt: 6,
      });
      expect(await store.findEnclave('missing')).toBeUndefined();
      expect(await store.updateEnclave('missing', ['ready'], { state: 'stopped' }, 7)).toBeUndefined();
    });

    test('lists are of one user, newest first, in pages that miss nothing', async () => {
      await store.createUser({ name: 'bob', passwordKey: new Uint8Array(96) }, 50, 1);
      const made = Array.from({ length: 7 }, (_, index) => someEnclave('bob', { id: `p${index}` }));
      for (const [index, each] of made.entries())
        await store.takeSeat(each, FRONT, 10 + Math.floor(index / 3));
      await store.takeSeat(someEnclave('ada'), FRONT, 11);
      const seen: string[] = [];
      let after: { createdAt: number; id: string } | undefined;
      do {
        const page = await store.listEnclaves('bob', { limit: 2, ...(after ? { after } : {}) });
        seen.push(...page.map((each) => each.id));
        after = page.at(-1);
      } while (after);
      expect(seen).toEqual(['p6', 'p3', 'p4', 'p5', 'p0', 'p1', 'p2']);
      expect(await store.enclavesIn(['ready'])).toEqual([]);
      expect(await store.enclavesIn(['launching', 'failing'])).toHaveLength(8);
    });

    test('finished records are forgotten after their time, others never', async () => {
      const [old, young, live] = [someEnclave('ada'), someEnclave('ada'), someEnclave('ada')];
      for (const [each, at] of [
        [old, 10],
        [young, 20],
      ] as const) {
        await store.takeSeat(each, FRONT, 1);
        await store.updateEnclave(each.id, ['launching'], { state: 'stopped' }, at);
      }
      await store.takeSeat(live, FRONT, 1);
      expect(await store.forgetFinished(20)).toBe(1);
      expect(await store.findEnclave(old.id)).toBeUndefined();
      expect(await store.findEnclave(live.id)).toBeDefined();
    });

    test('a launch is one living front’s to drive, and anybody’s when that has left, or died', async () => {
      await store.renewFront(FRONT, 60_000);
      const launch = someEnclave('ada');
      await store.takeSeat(launch, FRONT, 1);
      expect(await store.claimEnclave(launch.id, 'front-2')).toMatchObject({
        ours: false,
        record: { driver: FRONT },
      });
      expect(await store.claimEnclave(launch.id, FRONT)).toMatchObject({ ours: true });
      expect(await store.claimable('front-2')).toEqual([]);
      expect(await store.claimable(FRONT)).toMatchObject([{ id: launch.id }]);
      await store.leaveFront(FRONT);
      expect(await store.claimable('front-2')).toMatchObject([{ id: launch.id }]);
      await store.renewFront('front-2', 1);
      expect(await store.claimEnclave(launch.id, 'front-2')).toMatchObject({ ours: true });
      await store.renewFront('front-3', 60_000);
      await expect.poll(() => store.claimEnclave(launch.id, 'front-3')).toMatchObject({ ours: true });
      expect(await store.claimEnclave(launch.id, 'front-2')).toMatchObject({ ours: false });
      expect(await store.claimEnclave('missing', 'front-2')).toBeUndefined();
    });

    test('an enclave at rest is nobody’s, and what happens to it next is done by whoever is first', async () => {
      await store.renewFront(FRONT, 60_000);
      await store.renewFront('front-2', 60_000);
      const launch = someEnclave('ada');
      await store.takeSeat(launch, FRONT, 1);
      expect(await store.updateEnclave(launch.id, ['launching'], { state: 'ready' }, 2)).toMatchObject({
        driver: '',
      });
      // Nothing to do: nobody's to claim.
      expect(await store.claimEnclave(launch.id, 'front-2')).toMatchObject({ ours: false });
      await store.updateEnclave(launch.id, ['ready'], { state: 'stopping' }, 3);
      expect(await store.claimEnclave(launch.id, 'front-2')).toMatchObject({ ours: true });
      expect(await store.claimEnclave(launch.id, FRONT)).toMatchObject({ ours: false });
    });

    test('fronts know how many they are, and which is the eldest', async () => {
      expect(await store.renewFront(FRONT, 60_000)).toEqual({ count: 1, eldest: true });
      expect(await store.renewFront('front-9', 1)).toEqual({ count: 2, eldest: false });
      await expect.poll(() => store.renewFront('front-2', 60_000)).toEqual({ count: 2, eldest: false });
      expect(await store.renewFront(FRONT, 60_000)).toEqual({ count: 2, eldest: true });
      await store.leaveFront(FRONT);
      expect(await store.renewFront('front-2', 60_000)).toEqual({ count: 1, eldest: true });
    });

    test('what the cluster says is kept whatever it holds', async () => {
      const launch = someEnclave('ada');
      await store.takeSeat(launch, FRONT, 1);
      const reason = "nul \0, quote ', \u{1f512}, half \ud83d";
      await store.updateEnclave(launch.id, ['launching'], { reason, state: 'failing' }, 2);
      const kept = (await store.findEnclave(launch.id))?.reason ?? '';
      expect(kept).toContain("quote ', \u{1f512}");
      expect(await store.findUser('a\0da')).toBeUndefined();
    });

    test('token keys are kept until they expire, oldest first', async () => {
      const key = (keyId: string, createdAt: number, expiresAt: number) =>
        store.addTokenKey({ keyId, publicKey: new Uint8Array([createdAt]), createdAt, expiresAt });
      await key('b', 2, 20);
      await key('a', 1, 30);
      await store.close();
      store = await place.open();
      expect(await store.tokenKeys(5)).toEqual([
        { keyId: 'a', publicKey: new Uint8Array([1]), createdAt: 1, expiresAt: 30 },
        { keyId: 'b', publicKey: new Uint8Array([2]), createdAt: 2, expiresAt: 20 },
      ]);
      expect((await store.tokenKeys(20)).map((each) => each.keyId)).toEqual(['a']);
      await key('c', 25, 50);
      expect((await store.tokenKeys(5)).map((each) => each.keyId)).toEqual(['a', 'c']);
    });
  });
}
