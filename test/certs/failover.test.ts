import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseRoots, type Roots } from '../../formats/evidence/roots.ts';
import { acceptTrustDocument } from '../../formats/evidence/trust-document.ts';
import { buildCertificateRequest } from '../../formats/x509/certificate-request.ts';
import { ROOTS_CONFIG_MAP, ROOTS_KEY } from '../../names/components.ts';
import { SIGNERS } from '../../names/signers.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import { createCredential } from '../../platform/identity/credential.ts';
import { generateKey } from '../../platform/identity/key-pair.ts';
import { requestCertificate } from '../../platform/identity/request-certificate.ts';
import type { Kube } from '../../platform/kube/kube.ts';
import { CONFIG_MAPS } from '../../platform/kube/resources.ts';
import { createRpcClient, type RpcClient } from '../../platform/rpc/rpc-client.ts';
import { liveValue } from '../../platform/run/live.ts';
import { TrustServiceService } from '../../proto/gen/enclave_licensing/trust/v1/trust_service.ts';
import { loopbackAddress } from '../support/loopback-block.ts';
import { until } from '../support/until.ts';
import { RELEASE, startTestCluster, type TestCluster } from './cluster.ts';
import { type Replicas, startReplicas } from './replicas.ts';

const [A, B] = [loopbackAddress(), loopbackAddress()] as const;
const other = (address: string): string => (address === A ? B : A);

let cluster: TestCluster;
let replicas: Replicas;
let launcher: Kube;
let roots: Roots;
let load: Load;
/** Milliseconds until another led. */
const took: Record<string, number> = {};

/** What components do without pause: certificate requests, revocations, and watching the trust document. */
interface Load {
  /** Milliseconds that each request took. */
  readonly waits: number[];
  /** Users whose revocation was acknowledged. */
  readonly revoked: string[];
  /** Of each document that came, over all connections, in the order in which it came. */
  readonly versions: number[];
  readonly problems: string[];
  stop(): Promise<void>;
}

beforeAll(async () => {
  cluster = await startTestCluster();
  launcher = await cluster.as('enclave-launcher');
  replicas = await startReplicas(cluster);
  // Both at once, on a cluster that knows nothing yet.
  await Promise.all([replicas.start(A), replicas.start(B)]);
  await replicas.leader();
  const text = await until('roots', async () => {
    const map = await cluster.admin.get(CONFIG_MAPS, { name: ROOTS_CONFIG_MAP, namespace: RELEASE });
    return map?.data?.[ROOTS_KEY];
  });
  const parsed = parseRoots(text);
  if (!parsed.ok) throw new Error(parsed.message);
  roots = parsed.value;
  load = await startLoad();
});

afterAll(async () => {
  await load?.stop();
  const figures = {
    ...took,
    certificates: load?.waits.length,
    longest: Math.max(...(load?.waits ?? [])),
    ...{ revocations: load?.revoked.length, documents: load?.versions.length },
  };
  console.log(JSON.stringify(figures));
  await replicas?.stop();
  await cluster?.close();
});

async function certificate(): Promise<ReturnType<typeof createCredential>> {
  const key = generateKey();
  const name = `component-launcher-${randomBytes(5).toString('hex')}`;
  const request = buildCertificateRequest({ spki: key.spki }, key.sign, key.scheme);
  const usages = ['digital signature', 'server auth', 'client auth'];
  const wanted = { name, signerName: SIGNERS.system, usages, request };
  return createCredential(
    key.privateKey,
    await requestCertificate(launcher, wanted, AbortSignal.timeout(PATIENCE_MS)),
  );
}

async function startLoad(): Promise<Load> {
  const stopping = new AbortController();
  const { signal } = stopping;
  const credential = liveValue(await certificate());
  const connect = (): RpcClient<typeof TrustServiceService> =>
    createRpcClient(TrustServiceService, {
      ...{ address: replicas.service, serverName: 'enclave-certs.enclave-licensing.svc', credential },
      ...{ roots: liveValue(roots.system), maxResponseBytes: 512 * 1024, timeoutMs: 2_000 },
    });
  const [caller, watcher] = [connect(), connect()];
  const done: Omit<Load, 'stop'> = { waits: [], revoked: [], versions: [], problems: [] };
  const asking = async (): Promise<void> => {
    while (!signal.aborted) {
      const begun = performance.now();
      await certificate().catch((error: unknown) => done.problems.push(String(error)));
      done.waits.push(performance.now() - begun);
    }
  };
  const revoking = async (): Promise<void> => {
    for (let i = 0; !signal.aborted; i += 1) {
      const user = `user-${i}`;
      // Again and again until it is acknowledged, as an agent does.
      while (!signal.aborted) {
        const answer = await caller
          .revoke({ subject: { $case: 'user', value: { user } } }, { signal })
          .catch(() => undefined);
        if (answer !== undefined) done.revoked.push(user);
        await sleep(20);
        if (answer !== undefined) break;
      }
    }
  };
  const watching = async (): Promise<void> => {
    let held = 0;
    while (!signal.aborted) {
      try {
        for await (const { trustDocument } of watcher.watch({ version: BigInt(held) }, { signal })) {
          if (trustDocument === undefined) continue;
          const accepted = acceptTrustDocument(nodeCrypto, trustDocument, { roots, version: held });
          if (accepted.ok) held = accepted.value.version;
          else done.problems.push(accepted.message);
          done.versions.push(held);
        }
      } catch {
        await sleep(20);
      }
    }
  };
  const loops = [asking(), asking(), asking(), revoking(), watching()];
  return {
    ...done,
    stop: async () => {
      stopping.abort();
      await Promise.all(loops);
      caller.close();
      watcher.close();
    },
  };
}

/** Processes start slowly on a machine that is busy. */
const PATIENCE_MS = 50_000;
const TEST_MS = 150_000;

/** Everything goes on: certificates, revocations and documents that begin from now. */
async function goesOn(): Promise<void> {
  const { waits, revoked, versions } = load;
  const [w, r, v] = [waits.length, revoked.length, versions.length];
  const more = (): boolean => waits.length > w + 9 && revoked.length > r + 2 && versions.length > v + 2;
  await until('more of everything', more, PATIENCE_MS);
}

const standsBy = (address: string): Promise<boolean> =>
  replicas.readiness(address).then(
    (lines) => lines.includes('leadership: ok; standing by'),
    () => false,
  );

/** The leader, when somebody is there to follow it. */
async function followed(): Promise<string> {
  const leader = await replicas.leader();
  await until('the other stands by', () => standsBy(other(leader)), PATIENCE_MS);
  return leader;
}

test('of two that start at once one leads, the other is ready and standing by', async () => {
  const leader = await replicas.leader();
  await goesOn();
  await until('both are ready', async () => {
    const lines = await Promise.all([A, B].map((each) => replicas.readiness(each)));
    return (
      lines.filter((each) => each.includes('leadership: ok; leading')).length === 1 &&
      lines.filter((each) => each.includes('leadership: ok; standing by')).length === 1
    );
  });
  expect(await replicas.metric(leader, 'leader')).toBe(1);
  expect(await replicas.metric(leader, 'elections_total')).toBe(1);
  expect(await replicas.metric(other(leader), 'leader')).toBe(0);
  await expect(fetch(`http://${other(leader)}:8446`)).rejects.toThrow();
});

test('a leader that ends is followed at once', { timeout: TEST_MS }, async () => {
  const leader = await followed();
  const begun = performance.now();
  const ended = replicas.signal(leader, 'SIGTERM');
  await until('the other leads', async () => (await replicas.leader()) === other(leader), PATIENCE_MS);
  took['ended'] = performance.now() - begun;
  await ended;
  await goesOn();
  await replicas.start(leader);
});

test('a leader that is killed is followed when its lease is over', { timeout: TEST_MS }, async () => {
  const leader = await followed();
  const begun = performance.now();
  await replicas.signal(leader, 'SIGKILL');
  await until('the other leads', async () => (await replicas.leader()) === other(leader), PATIENCE_MS);
  took['killed'] = performance.now() - begun;
  await goesOn();
  await replicas.start(leader);
});

test('a leader that is killed and started again goes on, without waiting for its own lease', {
  timeout: TEST_MS,
}, async () => {
  const leader = await followed();
  await replicas.signal(leader, 'SIGKILL');
  const begun = performance.now();
  await replicas.start(leader);
  const leads = (): Promise<number> => replicas.metric(leader, 'leader').catch(() => 0);
  await until('one leads', async () => (await leads()) === 1 || (await standsBy(leader)), PATIENCE_MS);
  took['again'] = performance.now() - begun;
  await goesOn();
});

test('a leader that stands still loses its lease, and says nothing more when it goes on', {
  timeout: TEST_MS,
}, async () => {
  const leader = await followed();
  await replicas.signal(leader, 'SIGSTOP');
  await until('the other leads', async () => (await replicas.leader()) === other(leader), PATIENCE_MS);
  await goesOn();
  await replicas.signal(leader, 'SIGCONT');
  await until('it stands by', () => standsBy(leader), PATIENCE_MS);
  expect(await replicas.leader()).toBe(other(leader));
  await expect(fetch(`http://${leader}:8446`)).rejects.toThrow();
  await goesOn();
});

test('no request, no revocation and no version was lost on the way', async () => {
  await load.stop();
  expect(load.problems).toEqual([]);
  for (const [i, version] of load.versions.entries())
    expect(version).toBeGreaterThan(load.versions[i - 1] ?? 0);
  const final = await startLoad();
  const leader = await replicas.leader();
  await until('a document', () => final.versions.length > 0);
  await final.stop();
  expect(await replicas.metric(leader, 'revocations{kind="users"}')).toBeGreaterThanOrEqual(
    load.revoked.length,
  );
  for (const each of [A, B]) expect(replicas.log(each)).not.toMatch(/eyJ[A-Za-z0-9_-]{10}/);
});
