import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { issue } from '../../certs/issue/issue.ts';
import type { CertificateProfile } from '../../certs/issue/profile.ts';
import { componentProfile, userProfile } from '../../certs/issue/profiles.ts';
import { identifyCaller } from '../../certs/trust/caller.ts';
import { epochAt } from '../../certs/trust/epoch.ts';
import { parseTokenKeys } from '../../certs/trust/token-keys.ts';
import { createTrustPublisher } from '../../certs/trust/trust-publisher.ts';
import { EMPTY_STATE, parsePcrSelection, type TrustState } from '../../certs/trust/trust-state.ts';
import type { TrustStore } from '../../certs/trust/trust-store.ts';
import { type Roots, rootsSha256, rootsToJson } from '../../formats/evidence/roots.ts';
import { acceptTrustDocument } from '../../formats/evidence/trust-document.ts';
import { ISSUERS, type Issuer } from '../../names/signers.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import { generateKey } from '../../platform/identity/key-pair.ts';
import { KubeError } from '../../platform/kube/kube-error.ts';
import { codeOf, memoryStore, NOW, testAuthority } from './support.ts';

const bytes = (fill: number) => new Uint8Array(32).fill(fill);
const random = (count: number) => new Uint8Array(randomBytes(count));

describe('epoch', () => {
  const first = epochAt(undefined, NOW, bytes(1));

  test('stays for a minute, then becomes the previous', () => {
    expect(first).toEqual({ current: bytes(1), previous: bytes(1), at: NOW });
    expect(epochAt(first, NOW + 59, bytes(2))).toBe(first);
    const second = { current: bytes(2), previous: bytes(1), at: NOW + 60 };
    expect(epochAt(first, NOW + 60, bytes(2))).toEqual(second);
  });

  test('after a longer absence, or when the clock was set back, an old nonce counts no more', () => {
    expect(epochAt(first, NOW + 120, bytes(2))).toEqual({
      current: bytes(2),
      previous: bytes(2),
      at: NOW + 120,
    });
    expect(epochAt(first, NOW - 1, bytes(2))).toEqual({ current: bytes(2), previous: bytes(2), at: NOW - 1 });
  });
});

describe('trust document', () => {
  const store = memoryStore();
  const authority = testAuthority();
  const roots = Object.fromEntries(
    ISSUERS.map((issuer) => [issuer, [authority.issuer(issuer).certificate.der]]),
  ) as unknown as Record<Issuer, Uint8Array[]>;
  let now = NOW;
  const publisherOf = () =>
    createTrustPublisher({
      crypto: nodeCrypto,
      store,
      stored: store.kept,
      system: authority.issuer('system'),
      roots,
      pcrSelection: { hash: 'sha256', pcrs: [0, 7] },
      now: () => now,
      random,
    });

  test('is signed by the system root, and grows with each change, epoch and start', async () => {
    const publisher = await publisherOf();
    const seen: number[] = [];
    let held = 0;
    const take = () => {
      const { signed } = publisher.published.current();
      const accepted = acceptTrustDocument(nodeCrypto, signed, { roots, version: held });
      if (!accepted.ok) throw new Error(accepted.message);
      held = accepted.value.version;
      return accepted.value;
    };
    publisher.published.onChange(({ document }) => seen.push(document.version));
    const first = take();
    expect(first.rootSets).toEqual([rootsSha256(nodeCrypto, rootsToJson(roots))]);
    expect(await publisher.turn()).toBe(60_000);
    expect(await publisher.change(() => undefined)).toBe(false);
    expect(seen).toEqual([]);

    const revoked = { ...first.revoked, users: [{ user: 'mallory' }] };
    expect(await publisher.change(() => ({ revoked }))).toBe(true);
    expect(take().revoked.users).toEqual([{ user: 'mallory' }]);
    now += 60;
    expect(await publisher.turn()).toBe(60_000);
    const turned = take();
    expect(turned.epoch.previous).toEqual(first.epoch.current);
    expect(seen).toEqual([first.version + 1, first.version + 2]);

    // A restart: nothing is forgotten, and whoever holds the old document sees a newer one.
    const again = (await publisherOf()).published.current().document;
    expect(again.version).toBe(turned.version + 1);
    expect(again.revoked).toEqual(turned.revoked);
    expect(again.epoch).toEqual(turned.epoch);
  });

  const publisherOn = (store: TrustStore, stored?: TrustState) =>
    createTrustPublisher({
      crypto: nodeCrypto,
      store,
      stored,
      system: authority.issuer('system'),
      roots,
      pcrSelection: { hash: 'sha256', pcrs: [0] },
      now: () => NOW,
      random,
    });
  const revoke = (user: string) => (state: TrustState) => ({
    revoked: { ...state.revoked, users: [...state.revoked.users, { user }] },
  });

  test('what cannot be stored is not published, and what is said afterwards is newer', async () => {
    const [store] = sharedStores();
    const publisher = await publisherOn(store);
    const before = publisher.published.current();
    store.breaks = 'before';
    await expect(publisher.change(revoke('a'))).rejects.toThrow('away');
    expect(publisher.published.current()).toBe(before);
    // Stored, but the answer was lost: what nobody saw is not forgotten, and not said under the same version.
    store.breaks = 'after';
    await expect(publisher.change(revoke('b'))).rejects.toThrow('away');
    expect(publisher.published.current()).toBe(before);
    await publisher.change(revoke('c'));
    const { document } = publisher.published.current();
    expect(document.revoked.users).toEqual([{ user: 'b' }, { user: 'c' }]);
    expect(document.version).toBe(before.document.version + 2);
  });

  test('changes that come while one is stored go together, each with its answer', async () => {
    const [store] = sharedStores();
    const publisher = await publisherOn(store);
    const from = publisher.published.current().document.version;
    const changes = ['a', 'b', 'c', 'd'].map((user) => publisher.change(revoke(user)));
    const none = publisher.change(() => undefined);
    expect(await Promise.all([...changes, none])).toEqual([true, true, true, true, false]);
    const { document } = publisher.published.current();
    expect(document.version).toBe(from + 2);
    expect(document.revoked.users.map(({ user }) => user)).toEqual(['a', 'b', 'c', 'd']);
  });

  test('of two that both take themselves for the leader, neither loses what the other stored', async () => {
    const [first, second] = sharedStores();
    const one = await publisherOn(first);
    const two = await publisherOn(second, await second.load());
    const versions: number[] = [];
    for (const each of [one, two]) each.published.onChange(({ document }) => versions.push(document.version));
    await one.change(revoke('a'));
    await Promise.all([one.change(revoke('b')), two.change(revoke('c')), one.change(revoke('d'))]);
    await two.change(revoke('e'));
    expect(new Set(versions).size).toBe(versions.length);
    const users = two.published.current().document.revoked.users.map(({ user }) => user);
    expect(users.sort()).toEqual(['a', 'b', 'c', 'd', 'e']);
    // Somebody deletes it: a leader that knows what stood there puts it back.
    first.delete();
    await two.change(revoke('f'));
    expect((await first.load())?.revoked.users).toHaveLength(6);
  });

  test('an older state that somebody restores while one leads takes nothing back', async () => {
    const [store, hand] = sharedStores();
    const publisher = await publisherOn(store);
    const older = await hand.load();
    await publisher.change(revoke('a'));
    const before = publisher.published.current().document.version;
    await hand.load();
    if (older !== undefined) await hand.save(older);
    await publisher.change(revoke('b'));
    const { document } = publisher.published.current();
    expect(document.revoked.users).toEqual([{ user: 'a' }, { user: 'b' }]);
    expect(document.version).toBe(before + 1);
  });

  test('roots that the state does not know are of another backup', async () => {
    const [store] = sharedStores();
    const foreign = { ...EMPTY_STATE, version: 7, rootSets: ['ab'.repeat(32)] };
    await expect(publisherOn(store, foreign)).rejects.toThrow('not of one time');
  });
});

/** Two processes' stores over one Secret: who writes what is no longer the newest is told Conflict. */
function sharedStores() {
  const shared: { kept: TrustState | undefined; version: number } = { kept: undefined, version: 0 };
  const open = () => {
    let known = 0;
    const store = {
      /** The connection breaks at the next save, before it arrives or after. */
      breaks: undefined as 'before' | 'after' | undefined,
      delete: () => Object.assign(shared, { kept: undefined, version: 0 }),
      load: async () => {
        known = shared.version;
        return shared.kept;
      },
      save: async (state: TrustState) => {
        await Promise.resolve();
        const { breaks } = store;
        store.breaks = undefined;
        if (breaks === 'before') throw new Error('away');
        if (known !== shared.version) throw new KubeError(409, 'Conflict', 'the object has been modified');
        shared.kept = state;
        shared.version += 1;
        if (breaks === 'after') throw new Error('away');
        known = shared.version;
      },
    };
    return store;
  };
  return [open(), open()] as const;
}

test('callers are known by a certificate of the system issuer, at each call', () => {
  const authority = testAuthority();
  const other = testAuthority();
  const rootsOf = (from: typeof authority) =>
    Object.fromEntries(
      ISSUERS.map((each) => [each, [from.issuer(each).certificate.der]]),
    ) as unknown as Roots;
  const certificate = (profile: CertificateProfile, by = authority) => {
    const key = by.issuer(profile.issuer);
    const issued = issue(profile, { crypto: nodeCrypto, key, now: NOW, serial: random(16) });
    return issued.ok ? issued.value.certificate : undefined;
  };
  const { spki } = generateKey();
  const caller = (shown: Uint8Array | undefined, now = NOW) =>
    identifyCaller(nodeCrypto, shown, rootsOf(authority), now);
  const front = componentProfile(spki, ['front.enclave-licensing.internal']);
  expect(
    caller(certificate(componentProfile(spki, ['agent.node-1.enclave-licensing.internal']))),
  ).toMatchObject({
    ok: true,
    value: { component: 'agent', node: 'node-1' },
  });
  expect(codeOf(caller(certificate(front)))).toBe('ok');
  expect(codeOf(caller(undefined))).toBe('caller-unknown');
  expect(codeOf(caller(certificate(front, other)))).toBe('caller-unknown');
  expect(codeOf(caller(certificate(front), NOW + 90_000))).toBe('caller-unknown');
  const user = userProfile(spki, { enclave: 'e1', user: 'front.enclave-licensing.internal' });
  expect(codeOf(caller(certificate(user)))).toBe('caller-unknown');
  const own = componentProfile(spki, ['certs.enclave-licensing.internal']);
  expect(codeOf(caller(certificate(own)))).toBe('caller-role');
});

describe('token keys', () => {
  const jwk = generateJwk();
  const set = (...keys: object[]) => JSON.stringify({ keys });

  test('public ES256 keys with an id each', () => {
    expect(parseTokenKeys(set(jwk))).toEqual({ ok: true, value: [jwk] });
    for (const wrong of [
      '',
      '[]',
      set(),
      set({ ...jwk, d: 'secret' }),
      set({ ...jwk, kty: 'RSA' }),
      set({ ...jwk, crv: 'P-384' }),
      set({ ...jwk, x: 'short' }),
      set({ ...jwk, alg: 'none' }),
      set({ ...jwk, kid: undefined }),
      set(jwk, jwk),
      set({ ...jwk, extra: 1 }),
      set(...Array.from({ length: 17 }, (_, i) => ({ ...jwk, kid: `k${i}` }))),
    ])
      expect(codeOf(parseTokenKeys(wrong)), wrong.slice(0, 80)).toBe('token-keys-invalid');
  });
});

function generateJwk() {
  const { x, y } = generateKey().privateKey.export({ format: 'jwk' });
  return { kty: 'EC', crv: 'P-256', x, y, kid: 'k1', alg: 'ES256', use: 'sig' };
}

test('PCR selection: one bank, ascending, none that software can reset', () => {
  expect(parsePcrSelection('sha256:0,1,7')).toEqual({ hash: 'sha256', pcrs: [0, 1, 7] });
  for (const text of ['', 'sha256:', 'sha1:0', 'sha256:1,0', 'sha256:0,0', 'sha256:16', 'sha256:0;sha384:0'])
    expect(parsePcrSelection(text), text).toBeUndefined();
});
