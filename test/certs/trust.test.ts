import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { issue } from '../../certs/issue/issue.ts';
import type { CertificateProfile } from '../../certs/issue/profile.ts';
import { componentProfile, userProfile } from '../../certs/issue/profiles.ts';
import { identifyCaller } from '../../certs/trust/caller.ts';
import { epochAt } from '../../certs/trust/epoch.ts';
import { openSeenTpms } from '../../certs/trust/seen-tpms.ts';
import { parseTokenKeys } from '../../certs/trust/token-keys.ts';
import { createTrustPublisher } from '../../certs/trust/trust-publisher.ts';
import { parsePcrSelection } from '../../certs/trust/trust-state.ts';
import { openTrustStore } from '../../certs/trust/trust-store.ts';
import { type Roots, rootsSha256, rootsToJson } from '../../formats/evidence/roots.ts';
import { acceptTrustDocument } from '../../formats/evidence/trust-document.ts';
import { ISSUERS, type Issuer } from '../../names/signers.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import { generateKey } from '../../platform/identity/key-pair.ts';
import { codeOf, NOW, removeFolders, temporaryFolder, testAuthority } from './support.ts';

afterAll(removeFolders);

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
  const folder = temporaryFolder();
  const authority = testAuthority(folder);
  const roots = Object.fromEntries(
    ISSUERS.map((issuer) => [issuer, [authority.issuer(issuer).certificate.der]]),
  ) as unknown as Record<Issuer, Uint8Array[]>;
  let now = NOW;
  const publisherOf = () =>
    createTrustPublisher({
      crypto: nodeCrypto,
      store: openTrustStore(folder),
      system: authority.issuer('system'),
      roots,
      pcrSelection: { hash: 'sha256', pcrs: [0, 7] },
      now: () => now,
      random,
    });

  test('is signed by the system root, and grows with each change, epoch and start', () => {
    const publisher = publisherOf();
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
    expect(publisher.turn()).toBe(60_000);
    expect(publisher.change(() => undefined)).toBe(false);
    expect(seen).toEqual([]);

    const revoked = { ...first.revoked, users: [{ user: 'mallory' }] };
    expect(publisher.change(() => ({ revoked }))).toBe(true);
    expect(take().revoked.users).toEqual([{ user: 'mallory' }]);
    now += 60;
    expect(publisher.turn()).toBe(60_000);
    const turned = take();
    expect(turned.epoch.previous).toEqual(first.epoch.current);
    expect(seen).toEqual([first.version + 1, first.version + 2]);

    // A restart: nothing is forgotten, and whoever holds the old document sees a newer one.
    const again = publisherOf().published.current().document;
    expect(again.version).toBe(turned.version + 1);
    expect(again.revoked).toEqual(turned.revoked);
    expect(again.epoch).toEqual(turned.epoch);
  });

  test('what cannot be stored is not published', () => {
    const publisher = createTrustPublisher({
      crypto: nodeCrypto,
      store: { ...openTrustStore(temporaryFolder()), ...failingAfter(1) },
      system: authority.issuer('system'),
      roots,
      pcrSelection: { hash: 'sha256', pcrs: [0] },
      now: () => NOW,
      random,
    });
    const before = publisher.published.current();
    expect(() => publisher.change(() => ({ tokenKeys: [] }))).toThrow('disk');
    expect(publisher.published.current()).toBe(before);
  });

  test('a damaged state is not replaced by an empty one', () => {
    const path = join(folder, 'trust-state.json');
    const good = readFileSync(path, 'utf8');
    for (const text of ['', '{}', good.slice(0, -10), good.replace('"version"', '"x"')]) {
      writeFileSync(path, text);
      expect(() => openTrustStore(folder).load(), text).toThrow('damaged');
    }
    writeFileSync(path, good);
  });
});

function failingAfter(good: number) {
  let left = good;
  return {
    save: () => {
      if (left-- <= 0) throw new Error('no space left on disk');
    },
  };
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

test('reset counts of TPMs are remembered, their order within a reset is not', () => {
  const folder = temporaryFolder();
  const tpm = { node: 'node-1', ekSha256: 'ab', akName: 'cd', resetCount: 3, restartCount: 2, clock: 500 };
  const seen = openSeenTpms(folder);
  seen.remember(tpm);
  seen.remember({ ...tpm, resetCount: 2 });
  expect(openSeenTpms(folder).list()).toEqual([{ ...tpm, restartCount: 0, clock: 0 }]);
  seen.enrolled('node-1', 'ab');
  expect(seen.list()).toHaveLength(1);
  seen.enrolled('node-1', 'another');
  expect(openSeenTpms(folder).list()).toEqual([]);
  // The operator released the node, and its machine joined under another name.
  seen.remember(tpm);
  seen.enrolled('node-2', 'ab');
  expect(openSeenTpms(folder).list()).toEqual([]);
});
