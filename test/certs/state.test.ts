import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { certsMetrics } from '../../certs/metrics.ts';
import { type Material, openMaterial } from '../../certs/start/material.ts';
import { publishRoots } from '../../certs/start/roots-config-map.ts';
import { openSeenTpms } from '../../certs/trust/seen-tpms.ts';
import { EMPTY_STATE, fits, MAX_REVOCATIONS } from '../../certs/trust/trust-state.ts';
import { createTrustStore, MAX_TRUST_STATE_BYTES } from '../../certs/trust/trust-store.ts';
import { rootsToJson } from '../../formats/evidence/roots.ts';
import { issuerSecret, TRUST_STATE_SECRET } from '../../names/certs-state.ts';
import { ROOTS_CONFIG_MAP } from '../../names/components.ts';
import { ISSUERS } from '../../names/signers.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import { ATTESTED_NODES } from '../../platform/kube/attested-nodes.ts';
import type { Kube } from '../../platform/kube/kube.ts';
import { CONFIG_MAPS, SECRETS, type Secret } from '../../platform/kube/resources.ts';
import { systemClock } from '../../platform/run/clock.ts';
import { recordingMetrics } from '../support/recording-metrics.ts';
import { RELEASE, startTestCluster, type TestCluster } from './cluster.ts';
import { DOMAINS } from './support.ts';

let cluster: TestCluster;
/** With the certificate service's own rights, and none more. */
let kube: Kube;

const SECRET_NAMES = [...ISSUERS.map(issuerSecret), TRUST_STATE_SECRET];
const secret = (name: string) => cluster.admin.get(SECRETS, { name, namespace: RELEASE });
const remove = (name: string) => cluster.admin.delete(SECRETS, { name, namespace: RELEASE });

beforeAll(async () => {
  cluster = await startTestCluster();
  kube = await cluster.as('enclave-certs');
});
afterAll(() => cluster?.close());
beforeEach(async () => {
  for (const name of SECRET_NAMES) await remove(name);
  await cluster.admin.delete(CONFIG_MAPS, { name: ROOTS_CONFIG_MAP, namespace: RELEASE });
});

function open(by: Kube = kube, holds = () => true): Promise<Material> {
  const settings = {
    ...{ ...DOMAINS, releaseNamespace: RELEASE, frontNames: [], webhookConfigurations: [], port: 0 },
    pcrSelection: { hash: 'sha256', pcrs: [0] } as const,
    readEndorsements: () => ({ roots: { vendor: [], emulated: [] } as never, list: new Map() }),
  };
  return openMaterial({
    ...{ settings, kube: by, crypto: nodeCrypto, clock: systemClock, holds },
    metrics: certsMetrics(recordingMetrics()),
    random: (bytes) => new Uint8Array(randomBytes(bytes)),
  });
}

const text = ({ roots }: Material): string => rootsToJson(roots);
const publish = (material: Material) => publishRoots(kube, RELEASE, text(material));

describe('the first start', () => {
  test('of several at once makes one authority', async () => {
    const opened = await Promise.allSettled([open(), open(), open(), open()]);
    const good = opened.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
    expect(good.length).toBeGreaterThan(0);
    expect(new Set(good.map(text)).size).toBe(1);
    // Who was refused its first write finds all of it the next time.
    const later = await open();
    expect(text(later)).toBe(text(good[0] as Material));
    const version = later.publisher.published.current().document.version;
    for (const each of good)
      if (each !== later) expect(each.publisher.published.current().document.version).toBeLessThan(version);
  });

  test('is completed by the next, wherever it was cut short', async () => {
    for (let writes = 0; writes <= SECRET_NAMES.length; writes += 1) {
      for (const name of SECRET_NAMES) await remove(name);
      let left = writes;
      const dies = async <T>(call: () => Promise<T>): Promise<T> => {
        if (left-- <= 0) throw new Error('killed');
        return call();
      };
      const sent: Promise<unknown>[] = [];
      const short = open({
        ...kube,
        create: (...args) => {
          const write = dies(() => kube.create(...args));
          sent.push(write);
          return write;
        },
      });
      await short.catch((error: Error) => expect(error.message).toBe('killed'));
      // Some are under way at once: what was sent before the end arrives.
      await Promise.allSettled(sent);
      // What was made is kept: somebody may know it.
      const made = await Promise.all(SECRET_NAMES.map(secret));
      expect(made.filter((each) => each !== undefined)).toHaveLength(writes);
      await open();
      const after = await Promise.all(SECRET_NAMES.map(secret));
      for (const [i, each] of made.entries())
        if (each && SECRET_NAMES[i] !== TRUST_STATE_SECRET) expect(after[i]?.data).toEqual(each.data);
    }
  });
});

describe('what the cluster keeps', () => {
  test('makes a later start the same, and newer; the keys cannot be changed', async () => {
    const first = await open();
    await publish(first);
    const revoked = { ...EMPTY_STATE.revoked, users: [{ user: 'mallory' }] };
    await first.publisher.change(() => ({ revoked }));
    const second = await open();
    expect(text(second)).toBe(text(first));
    const before = first.publisher.published.current().document;
    const { document } = second.publisher.published.current();
    expect(document.version).toBe(before.version + 1);
    expect(document.revoked).toEqual(before.revoked);
    const name = issuerSecret('users');
    const held = (await secret(name)) as Secret;
    const other = { ...held, data: (await secret(issuerSecret('system')))?.data ?? {} };
    await expect(cluster.admin.replace(SECRETS, other)).rejects.toMatchObject({ reason: 'Invalid' });
  });

  test('is never made anew once the cluster knew it, and says which part to restore', async () => {
    await publish(await open());
    for (const name of SECRET_NAMES) {
      const kept = await secret(name);
      await remove(name);
      await expect(open(), name).rejects.toThrow(new RegExp(`Secret ${name} is gone.*restore it`));
      const { resourceVersion: _, uid: __, ...metadata } = kept?.metadata ?? {};
      await cluster.admin.create(SECRETS, { ...kept, metadata });
    }
    await open();
    // The ConfigMap alone, which anybody may delete by mistake, is made again from the keys; and so are keys while only it is known of.
    await cluster.admin.delete(CONFIG_MAPS, { name: ROOTS_CONFIG_MAP, namespace: RELEASE });
    await remove(issuerSecret('users'));
    await expect(open()).rejects.toThrow(`Secret ${TRUST_STATE_SECRET} shows`);
  });

  test('is refused when it is damaged, or another’s', async () => {
    await open();
    const state = (await secret(TRUST_STATE_SECRET)) as Secret;
    const good = Buffer.from(state.data?.['state.json'] ?? '', 'base64').toString();
    for (const wrong of ['', '{}', good.slice(0, -10), good.replace('"version"', '"x"')]) {
      const data = { 'state.json': Buffer.from(wrong).toString('base64') };
      await cluster.admin.patch(SECRETS, { name: TRUST_STATE_SECRET, namespace: RELEASE }, { data });
      await expect(open(), wrong).rejects.toThrow(`Secret ${TRUST_STATE_SECRET} is damaged`);
    }
    await remove(TRUST_STATE_SECRET);
    const name = issuerSecret('enclaves');
    await remove(name);
    await cluster.admin.create(SECRETS, { metadata: { name, namespace: RELEASE }, type: 'Opaque' });
    await expect(open()).rejects.toThrow(`Secret ${name} has type Opaque`);
  });

  test('fits into a Secret when it is as large as it can be', async () => {
    const material = await open();
    const long = 'x'.repeat(240);
    const until = 4_000_000_000;
    const hash = (i: number): string => i.toString(16).padStart(64, '0');
    const revoked = {
      certificates: asManyAsFit('certificates', (i) => ({ podUid: `${i}${long}`, until })),
      users: asManyAsFit('users', (i) => ({ user: `${i}-${'\u{1F600}'.repeat(60)}` })),
      grants: asManyAsFit('grants', (i) => {
        return { ownerKeySha256: hash(i), keySha256: hash(i), enclave: `${i}${long}`, until };
      }),
    };
    await material.publisher.change(() => {
      const x = 'A'.repeat(43);
      const kid = (i: number): string => `${i}${'k'.repeat(250)}`;
      const tokenKeys = Array.from({ length: 16 }, (_, i) => {
        return { kty: 'EC', crv: 'P-256', x, y: x, kid: kid(i), alg: 'ES256', use: 'sig' } as const;
      });
      return { revoked, tokenKeys, operatorRevoked: revoked.users.map(({ user }) => user) };
    });
    const kept = await secret(TRUST_STATE_SECRET);
    const bytes = Buffer.from(kept?.data?.['state.json'] ?? '', 'base64').length;
    expect(bytes).toBeGreaterThan(400_000);
    expect(bytes).toBeLessThan(MAX_TRUST_STATE_BYTES * 0.6);
    expect((await createTrustStore(kube, RELEASE).load())?.revoked.certificates.length).toBeGreaterThan(100);
  });

  test('is signed with by nobody whose term is over', async () => {
    let leads = true;
    const material = await open(kube, () => leads);
    const profile = { issuer: 'users' } as Parameters<Material['sign']>[0];
    leads = false;
    expect(() => material.sign(profile)).toThrow('another certificate service leads');
  });
});

function asManyAsFit<T extends object>(
  kind: 'certificates' | 'users' | 'grants',
  entry: (i: number) => T,
): T[] {
  const all = Array.from({ length: MAX_REVOCATIONS }, (_, i) => entry(1000 + i));
  let [good, bad] = [0, all.length + 1];
  while (bad - good > 1) {
    const count = Math.floor((good + bad) / 2);
    if (fits(kind, all.slice(0, count))) good = count;
    else bad = count;
  }
  return all.slice(0, good);
}

test('reset counts of TPMs are remembered by the node, their order within a reset is not', async () => {
  const ek = 'ab'.repeat(32);
  const tpm = { node: 'node-1', ekSha256: ek, akName: 'cd', resetCount: 3, restartCount: 2, clock: 500 };
  for (const node of ['node-1', 'node-2'])
    await cluster.admin.create(ATTESTED_NODES, {
      metadata: { name: node },
      spec: { node, ekSha256: ek, tpmTrust: 'emulated' },
    });
  const seen = await openSeenTpms(kube);
  const writes = async () =>
    (await cluster.admin.get(ATTESTED_NODES, { name: 'node-1' }))?.metadata?.resourceVersion;
  await seen.remember(tpm);
  const once = await writes();
  await seen.remember({ ...tpm, resetCount: 2 });
  await seen.remember({ ...tpm, clock: 900 });
  expect(await writes()).toBe(once);
  const known = { node: 'node-1', ekSha256: ek, resetCount: 3, restartCount: 0, clock: 0 };
  expect((await openSeenTpms(kube)).list()).toMatchObject([known]);
  await seen.enrolled('node-1', ek);
  expect(seen.list()).toHaveLength(1);
  await seen.enrolled('node-1', 'cd'.repeat(32));
  expect((await openSeenTpms(kube)).list()).toEqual([]);
  // The operator released the node, and its machine joined under another name.
  await seen.remember(tpm);
  await seen.enrolled('node-2', ek);
  expect((await openSeenTpms(kube)).list()).toEqual([]);
  // One whose object is gone is still compared with, by this process.
  await seen.remember({ ...tpm, node: 'node-3' });
  expect(seen.list()).toMatchObject([{ node: 'node-3', resetCount: 3 }]);
});
