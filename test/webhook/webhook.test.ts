import { execFileSync } from 'node:child_process';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import jsonPatch from 'fast-json-patch';
import { afterEach, describe, expect, test } from 'vitest';
import { success } from '../../formats/bytes/result.ts';
import { parseRoots, rootsToJson } from '../../formats/evidence/roots.ts';
import { encodePem } from '../../formats/x509/pem.ts';
import type { Pod } from '../../injection/pod.ts';
import { ANNOTATIONS, ENCLAVE_LABEL, INJECT_LABEL } from '../../names/labels.ts';
import { serverTlsOptions } from '../../platform/tls/server-options.ts';
import { followFile } from '../../webhook/follow-file.ts';
import { BODY_LIMIT } from '../../webhook/read-body.ts';
import { createWebhook } from '../../webhook/server.ts';
import { CONFIG, enclavePod, OWNER_KEY } from '../injection/support.ts';
import { recordingLogger } from '../support/recording-logger.ts';
import { recordingMetrics } from '../support/recording-metrics.ts';
import { createTestAuthority } from '../support/test-authority.ts';

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const each of undo.splice(0).reverse()) await each();
});

const authority = createTestAuthority();
const NAME = 'enclave-webhook.enclave-licensing.svc';
const LAUNCHER = 'system:serviceaccount:enclave-licensing:enclave-launcher';

async function serve() {
  const { log, lines } = recordingLogger();
  const metrics = recordingMetrics();
  const https = serverTlsOptions({ credential: authority.issue({ dns: [NAME] }) });
  const app = createWebhook({
    config: () => CONFIG,
    releaseNamespace: 'enclave-licensing',
    log,
    metrics,
    https,
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  undo.push(() => app.close());
  const { port } = app.server.address() as AddressInfo;
  /** As an API server calls: HTTPS, the Service's name checked against the caBundle. */
  const post = (path: string, body: string) =>
    new Promise<{ status: number; body: Record<string, unknown> }>((resolve, reject) => {
      const headers = { 'content-type': 'application/json' };
      const ca = encodePem('CERTIFICATE', authority.root);
      const call = request(
        { host: '127.0.0.1', port, path, method: 'POST', headers, ca, servername: NAME },
        (answer) => {
          const chunks: Buffer[] = [];
          answer.on('data', (chunk: Buffer) => chunks.push(chunk));
          answer.on('end', () =>
            resolve({ status: answer.statusCode ?? 0, body: JSON.parse(Buffer.concat(chunks).toString()) }),
          );
        },
      );
      call.on('error', reject);
      call.end(body);
    });
  const review = async (path: string, pod: Pod, changes: object = {}) => {
    const answer = await post(
      path,
      JSON.stringify({
        apiVersion: 'admission.k8s.io/v1',
        kind: 'AdmissionReview',
        request: {
          uid: 'u-1',
          operation: 'CREATE',
          namespace: 'shop',
          resource: { group: '', version: 'v1', resource: 'pods' },
          userInfo: { username: 'someone', groups: [] },
          object: pod,
          ...changes,
        },
      }),
    );
    expect(answer).toMatchObject({
      status: 200,
      body: { kind: 'AdmissionReview', response: { uid: 'u-1' } },
    });
    return answer.body['response'] as {
      allowed: boolean;
      patch?: string;
      patchType?: string;
      warnings?: string[];
      status?: { message: string };
    };
  };
  return { post, review, lines, metrics };
}

type Review = Awaited<ReturnType<typeof serve>>['review'];

async function injected(review: Review, pod: Pod): Promise<Pod> {
  const { patch } = await review('/mutate', pod);
  const operations = JSON.parse(Buffer.from(patch ?? '', 'base64').toString() || '[]');
  return jsonPatch.applyPatch(structuredClone(pod), operations).newDocument;
}

describe('mutate', () => {
  test('patches over HTTPS, warns, and leaves alone what needs nothing', async () => {
    const { review, metrics } = await serve();
    const pod = enclavePod({ 'enclave-licensing.dev/upstreem': 'x' });
    const answer = await review('/mutate', pod);
    expect(answer).toMatchObject({
      allowed: true,
      patchType: 'JSONPatch',
      warnings: [expect.stringContaining('upstreem')],
    });
    const again = await review('/mutate', await injected(review, pod));
    expect(again).toMatchObject({ allowed: true });
    expect(again).not.toHaveProperty('patch');
    expect(await review('/mutate', pod, { dryRun: true })).toMatchObject({
      allowed: true,
      patchType: 'JSONPatch',
    });
    expect(metrics.values.get('reviews_total{endpoint="mutate",outcome="unchanged"}')).toBe(1);
  });

  test('only a creation is judged: what is there has been', async () => {
    const { review } = await serve();
    for (const path of ['/mutate', '/validate'])
      for (const operation of ['UPDATE', 'DELETE', 'CONNECT'])
        expect(await review(path, enclavePod({ [ANNOTATIONS.mode]: 'udp' }), { operation })).toEqual({
          uid: 'u-1',
          allowed: true,
        });
  });

  test('a refusal says what was wrong and what to do', async () => {
    const { review, lines } = await serve();
    const answer = await review('/mutate', enclavePod({ [ANNOTATIONS.mode]: 'udp' }));
    expect(answer.allowed).toBe(false);
    expect(answer.status?.message).toBe(
      `annotation ${ANNOTATIONS.mode} is "udp", which is not allowed. Write tcp or http. (annotation-invalid)`,
    );
    expect(lines.join()).toContain('annotation-invalid');
  });

  test('what is no review of a pod is no review; 1 MB passes, more than 3 MiB does not', async () => {
    const { post, review } = await serve();
    for (const body of ['{}', '[]', '"x"', '{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"}'])
      expect((await post('/mutate', body)).status).toBe(400);
    expect((await post('/mutate', '{')).status).toBe(400);
    expect((await review('/mutate', enclavePod({ large: 'x'.repeat(1_000_000) }))).allowed).toBe(true);
    // The server stops reading: an answer or a cut connection, both refuse the pod.
    const status = await post('/mutate', `"${'x'.repeat(BODY_LIMIT)}"`).then(
      (answer) => answer.status,
      () => 413,
    );
    expect(status).toBe(413);
  });
});

describe('validate', () => {
  test('accepts exactly what was injected', async () => {
    const { review } = await serve();
    const pod = await injected(review, enclavePod());
    expect(await review('/validate', pod)).toMatchObject({ allowed: true });
    expect(await review('/validate', enclavePod())).toMatchObject({ allowed: false });
    const [sidecar] = pod.spec?.initContainers ?? [];
    for (const changed of [
      { image: 'x' },
      { env: sidecar?.env?.slice(1) },
      { resources: {} },
      { ports: [] },
    ]) {
      const spec = { ...pod.spec, initContainers: [{ ...sidecar, ...changed }] };
      const answer = await review('/validate', { ...pod, spec } as Pod);
      expect(answer.status?.message, JSON.stringify(changed)).toContain(
        'differs from the one this release injects',
      );
    }
  });

  test('a launched enclave’s label is the launcher’s to set', async () => {
    const { review } = await serve();
    const annotations = { [ANNOTATIONS.upstream]: '8080', [ANNOTATIONS.ownerKey]: OWNER_KEY };
    const labels = { [ENCLAVE_LABEL]: 'eabc' };
    const pod = await injected(review, { ...enclavePod(), metadata: { name: 'p', labels, annotations } });
    expect(await review('/validate', pod, { userInfo: { username: LAUNCHER } })).toMatchObject({
      allowed: true,
    });
    for (const username of ['admin', 'system:serviceaccount:shop:enclave-launcher', `${LAUNCHER}x`]) {
      const answer = await review('/validate', pod, { userInfo: { username } });
      expect(answer.status?.message).toContain('set by the launcher alone');
    }
  });

  test('nobody else uses the prefix', async () => {
    const { review } = await serve();
    const plain = (metadata: object): Pod => ({
      metadata: { name: 'p', ...metadata },
      spec: { containers: [] },
    });
    expect(await review('/validate', plain({ labels: { app: 'x' } }))).toMatchObject({ allowed: true });
    for (const metadata of [
      { annotations: { [ANNOTATIONS.ownerKey]: OWNER_KEY } },
      { labels: { 'enclave-licensing.dev/role': 'x' } },
      { labels: { [INJECT_LABEL]: 'enabled', 'enclave-licensing.dev/role': 'x' } },
    ])
      expect((await review('/validate', plain(metadata))).status?.message).toContain('is reserved');
  });

  test('a pod cannot bring a sidecar of its own and be labelled afterwards', async () => {
    const { review } = await serve();
    const { spec } = await injected(review, enclavePod());
    const containers = spec?.containers ?? [];
    const bare = (changes: object): Pod => ({ metadata: { name: 'p' }, spec: { containers, ...changes } });
    expect(await review('/validate', bare({}))).toMatchObject({ allowed: true });
    const [volume] = spec?.volumes ?? [];
    for (const changes of [
      spec,
      { initContainers: spec?.initContainers },
      { containers: [{ ...containers[0], name: 'enclave-sidecar' }] },
      { volumes: [volume] },
      { volumes: [{ ...volume, name: 'other' }] },
    ])
      expect(await review('/validate', bare(changes ?? {}))).toMatchObject({ allowed: false });
  });
});

test('a pipe in place of a file is not waited for: reviews are answered by the same thread', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'pipe-'));
  const stop = new AbortController();
  undo.push(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'roots.json');
  execFileSync('mkfifo', [path]);
  const { log, lines } = recordingLogger();
  const begun = performance.now();
  const waits = followFile({ path, what: 'roots', parse: success, log, signal: stop.signal });
  expect(performance.now() - begun).toBeLessThan(1_000);
  expect(lines.join()).toContain('nobody wrote');
  stop.abort();
  await expect(waits).rejects.toThrow('stopped while waiting for roots');
});

test('the roots follow their file, and a broken one changes nothing', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'roots-'));
  const stop = new AbortController();
  undo.push(
    () => rmSync(folder, { recursive: true }),
    () => stop.abort(),
  );
  const path = join(folder, 'roots.json');
  const set = (root: Uint8Array) =>
    rootsToJson({ system: [root], enclaves: [root], users: [root], 'attestation-keys': [root] });
  const write = (text: string) => {
    writeFileSync(`${path}.new`, text);
    renameSync(`${path}.new`, path);
  };
  const [first, second] = [set(authority.root), set(createTestAuthority('other').root)];
  write(first);
  const { log, lines } = recordingLogger();
  const roots = await followFile({
    path,
    what: 'roots',
    parse: (text) => {
      const parsed = parseRoots(text);
      return parsed.ok ? success(text) : parsed;
    },
    log,
    signal: stop.signal,
    everyMs: 20,
  });
  expect(roots.current()).toBe(first);
  write('{"system":[]}');
  await expect.poll(() => lines.join()).toContain('no good roots');
  expect(roots.current()).toBe(first);
  const changed = new Promise((resolve) => roots.onChange(resolve));
  write(second);
  expect(await changed).toBe(second);
});
