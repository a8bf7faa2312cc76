import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildCertificateRequest } from '../../formats/x509/certificate-request.ts';
import { encodePem } from '../../formats/x509/pem.ts';
import { generateKey } from '../../platform/identity/key-pair.ts';
import { createKube } from '../../platform/kube/create-kube.ts';
import { elect } from '../../platform/kube/election.ts';
import type { Kube } from '../../platform/kube/kube.ts';
import { isKubeError } from '../../platform/kube/kube-error.ts';
import { apiServerFromKubeconfig } from '../../platform/kube/kubeconfig.ts';
import {
  CERTIFICATE_SIGNING_REQUESTS,
  CONFIG_MAPS,
  type ConfigMap,
  LEASES,
  NAMESPACES,
  SERVICE_ACCOUNTS,
} from '../../platform/kube/resources.ts';
import { reviewToken } from '../../platform/kube/token-review.ts';
import { silentLogger } from '../../platform/log/logger.ts';
import { type Cluster, startCluster } from '../support/cluster.ts';

/** The client against an API server: the devcluster's, or (`make test-kube`) a real kube-apiserver. */
let directory: string;
let cluster: Cluster;
let kube: Kube;
const namespace = 'platform-test';

beforeAll(async () => {
  directory = mkdtempSync('/tmp/pk-');
  const catalogueFile = join(directory, 'images.json');
  writeFileSync(catalogueFile, '{"images":{}}');
  cluster = await startCluster({ directory: join(directory, 'c'), nodes: 1, catalogueFile, tpm: false });
  kube = createKube(apiServerFromKubeconfig(cluster.kubeconfig));
  await kube.create(NAMESPACES, { metadata: { name: namespace } });
});
afterAll(async () => {
  kube?.close();
  await cluster?.stop();
  rmSync(directory, { recursive: true, force: true });
});

function configMap(name: string, data: Record<string, string> = {}, labels: Record<string, string> = {}) {
  return { metadata: { name, namespace, labels }, data };
}

test('objects: create, get, replace, patch, list, delete; conflicts and preconditions are told apart', async () => {
  const ref = { namespace, name: 'one' };
  const created = await kube.create(CONFIG_MAPS, configMap('one', { a: '1' }, { app: 'x' }));
  await expect(kube.create(CONFIG_MAPS, configMap('one'))).rejects.toSatisfy((e) =>
    isKubeError(e, 'AlreadyExists'),
  );
  const dry = await kube.create(CONFIG_MAPS, configMap('dry'), { dryRun: true });
  expect(dry.metadata?.name).toBe('dry');
  expect(await kube.get(CONFIG_MAPS, { namespace, name: 'dry' })).toBeUndefined();
  await kube.replace(CONFIG_MAPS, { ...created, data: { a: '2' } });
  await expect(kube.replace(CONFIG_MAPS, { ...created, data: { a: '3' } })).rejects.toSatisfy((e) =>
    isKubeError(e, 'Conflict'),
  );
  await kube.patch(CONFIG_MAPS, ref, { data: { b: '1' } });
  await kube.patch(
    CONFIG_MAPS,
    ref,
    [
      { op: 'test', path: '/data/a', value: '2' },
      { op: 'remove', path: '/data/a' },
    ],
    'json',
  );
  expect((await kube.get(CONFIG_MAPS, ref))?.data).toEqual({ b: '1' });
  await kube.create(CONFIG_MAPS, configMap('two'));
  const listed = await kube.list(CONFIG_MAPS, { namespace, labelSelector: 'app=x' });
  expect(listed.items.map(({ metadata, kind }) => [metadata?.name, kind])).toEqual([['one', 'ConfigMap']]);
  await expect(kube.delete(CONFIG_MAPS, ref, { uid: 'another' })).rejects.toSatisfy((e) =>
    isKubeError(e, 'Conflict'),
  );
  expect(await kube.delete(CONFIG_MAPS, ref, { uid: created.metadata?.uid ?? '' })).toBe(true);
  expect(await kube.delete(CONFIG_MAPS, ref)).toBe(false);
});

test('a certificate request goes through approval and status', async () => {
  const key = generateKey();
  const name = 'platform-test';
  const request = Buffer.from(
    encodePem(
      'CERTIFICATE REQUEST',
      buildCertificateRequest({ spki: key.spki, subject: { commonName: 'x' } }, key.sign, key.scheme),
    ),
  ).toString('base64');
  const created = await kube.create(CERTIFICATE_SIGNING_REQUESTS, {
    metadata: { name },
    spec: { request, signerName: 'enclave-licensing.dev/test', usages: ['digital signature', 'client auth'] },
  });
  expect(created.spec?.username).toBeTruthy();
  const condition = { type: 'Denied', status: 'True', reason: 'test', message: 'as asked' };
  await kube.replace(
    CERTIFICATE_SIGNING_REQUESTS,
    { ...created, status: { conditions: [condition] } },
    'approval',
  );
  expect((await kube.get(CERTIFICATE_SIGNING_REQUESTS, { name }))?.status?.conditions?.[0]).toMatchObject(
    condition,
  );
  await kube.delete(CERTIFICATE_SIGNING_REQUESTS, { name });
});

test('a token is good for its audience only', async () => {
  const ref = { namespace, name: 'someone' };
  await kube.create(SERVICE_ACCOUNTS, { metadata: ref });
  const issued = await kube.createSubresource<{ status: { token: string } }>(SERVICE_ACCOUNTS, ref, 'token', {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    spec: { audiences: ['mine'], expirationSeconds: 600 },
  });
  const { token } = issued.status;
  expect(await reviewToken(kube, token, 'mine')).toMatchObject({
    username: `system:serviceaccount:${namespace}:someone`,
  });
  expect(await reviewToken(kube, token, 'theirs')).toBeUndefined();
  expect(await reviewToken(kube, `${token.slice(0, -8)}AAAAAAAA`, 'mine')).toBeUndefined();
});

test('a watch sees what happens, and what happened while the API server was away', async () => {
  const abort = new AbortController();
  const seen: string[] = [];
  const say = (mark: string) => (object: { metadata?: { name?: string } }) =>
    seen.push(mark + object.metadata?.name);
  const handle = kube.watch<ConfigMap>(CONFIG_MAPS, {
    namespace,
    labelSelector: 'watched=yes',
    signal: abort.signal,
    onAdd: say('+'),
    onUpdate: say('~'),
    onDelete: say('-'),
  });
  await handle.synced;
  const labels = { watched: 'yes' };
  await kube.create(CONFIG_MAPS, configMap('w', {}, labels));
  await kube.create(CONFIG_MAPS, configMap('unwatched'));
  await kube.patch(CONFIG_MAPS, { namespace, name: 'w' }, { data: { a: '1' } });
  await expect.poll(() => seen).toEqual(['+w', '~w']);
  await cluster.suspendApi();
  await expect.poll(() => handle.current()).toBe(false);
  expect(handle.get({ namespace, name: 'w' })?.data).toEqual({ a: '1' });
  await cluster.resumeApi();
  await expect
    .poll(
      () =>
        kube.create(CONFIG_MAPS, configMap('later', {}, labels)).then(
          () => true,
          () => false,
        ),
      { timeout: 20_000 },
    )
    .toBe(true);
  await expect.poll(() => seen, { timeout: 20_000 }).toEqual(['+w', '~w', '+later']);
  // A label that no longer fits is a deletion to this watch.
  await kube.patch(CONFIG_MAPS, { namespace, name: 'w' }, { metadata: { labels: { watched: null } } });
  await expect.poll(() => seen.at(-1)).toBe('-w');
  abort.abort();
  await handle.ended;
});

test('of two candidates one leads; when it goes, the other does', async () => {
  const leaders: string[] = [];
  const candidate = (identity: string) => {
    const abort = new AbortController();
    const done = elect(
      { kube, name: 'leader', namespace, identity, signal: abort.signal, log: silentLogger, leaseMs: 2_000 },
      async ({ signal }) => {
        leaders.push(identity);
        await new Promise<void>((resolve) =>
          signal.addEventListener('abort', () => resolve(), { once: true }),
        );
        leaders.splice(leaders.indexOf(identity), 1);
      },
    );
    return { stop: () => abort.abort(), done };
  };
  const [a, b] = [candidate('a'), candidate('b')];
  await expect.poll(() => leaders.length).toBe(1);
  const first = leaders[0];
  const [leader, other] = first === 'a' ? [a, b] : [b, a];
  leader.stop();
  await leader.done;
  await expect.poll(() => leaders).toEqual([first === 'a' ? 'b' : 'a']);
  other.stop();
  await other.done;
  expect((await kube.get(LEASES, { namespace, name: 'leader' }))?.spec?.holderIdentity).toBeFalsy();
});
