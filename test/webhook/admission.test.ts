import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodePem } from '../../formats/x509/pem.ts';
import { compareSidecar } from '../../injection/compare-sidecar.ts';
import { launchedPod } from '../../injection/launched-pod.ts';
import type { Pod } from '../../injection/pod.ts';
import { type EnclaveProfile, parseProfile } from '../../injection/profile.ts';
import { expectedSpecSha256, injectedPod, specSha256 } from '../../injection/spec-sha256.ts';
import { ANNOTATIONS, INJECTION_LABEL } from '../../names/labels.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import { serverTlsOptions } from '../../platform/tls/server-options.ts';
import { createWebhook } from '../../webhook/server.ts';
import { APP_IMAGE, CONFIG, enclavePod, OWNER_KEY, SIDECAR_IMAGE } from '../injection/support.ts';
import { type Cluster, startCluster } from '../support/cluster.ts';
import { type Kubectl, kubectlFor } from '../support/kubectl.ts';
import { recordingLogger } from '../support/recording-logger.ts';
import { recordingMetrics } from '../support/recording-metrics.ts';
import { createTestAuthority } from '../support/test-authority.ts';
import { until } from '../support/until.ts';
import { webhookConfigurations } from '../support/webhook-configuration.ts';

/** The webhook behind a whole API server, with the release's own manifests; the same on both API servers. */
const directory = mkdtempSync(join(tmpdir(), 'adm-'));
const undo: (() => unknown)[] = [() => rmSync(directory, { recursive: true, force: true })];
let cluster: Cluster;
let kubectl: Kubectl;
/** As the launcher's service account. */
let launcher: (...args: string[]) => ReturnType<Kubectl['try']>;

beforeAll(async () => {
  const catalogueFile = join(directory, 'catalogue.json');
  writeFileSync(catalogueFile, '{"images":{}}');
  cluster = await startCluster({ directory: join(directory, 'c'), nodes: 1, catalogueFile, tpm: false });
  undo.push(() => cluster.stop());
  kubectl = await kubectlFor(cluster.kubeconfig, directory);
  const authority = createTestAuthority();
  const https = serverTlsOptions({ credential: authority.issue({ dns: ['localhost'] }) });
  const { log } = recordingLogger();
  const config = () => CONFIG;
  const webhook = createWebhook({
    config,
    releaseNamespace: 'enclave-licensing',
    log,
    metrics: recordingMetrics(),
    https,
  });
  await webhook.listen({ host: '127.0.0.1', port: 0 });
  undo.push(() => webhook.close());
  const { port } = webhook.server.address() as AddressInfo;
  const caBundle = Buffer.from(encodePem('CERTIFICATE', authority.root)).toString('base64');
  const namespace = (name: string, labels = {}) => ({
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name, labels },
  });
  const account = (name: string, of: string) => ({
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name, namespace: of },
  });
  const metadata = { name: 'pods', namespace: 'shop' };
  await kubectl.apply(
    namespace('shop', { [INJECTION_LABEL]: 'enabled' }),
    namespace('plain'),
    namespace('enclave-licensing', { [INJECTION_LABEL]: 'enabled' }),
    account('web', 'shop'),
    account('enclave-launcher', 'enclave-licensing'),
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'Role',
      metadata,
      rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['*'] }],
    },
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'RoleBinding',
      metadata,
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'pods' },
      subjects: [{ kind: 'ServiceAccount', name: 'enclave-launcher', namespace: 'enclave-licensing' }],
    },
    ...webhookConfigurations(`https://localhost:${port}`, caBundle),
  );
  const token = (await kubectl('create', 'token', 'enclave-launcher', '-n', 'enclave-licensing')).trim();
  const ca = join(directory, 'ca.crt');
  const kubeconfig = JSON.parse(await kubectl('config', 'view', '--raw', '-o', 'json'));
  const [{ cluster: found }] = kubeconfig.clusters;
  writeFileSync(ca, Buffer.from(found['certificate-authority-data'], 'base64'));
  launcher = (...args) =>
    kubectl.try(
      '--kubeconfig=/dev/null',
      `--server=${found.server}`,
      `--certificate-authority=${ca}`,
      `--token=${token}`,
      ...args,
    );
  // Configurations take a moment to reach admission on a real API server.
  const unready = { ...enclavePod().metadata, annotations: {} };
  let n = 0;
  await until('the webhook is asked', async () => {
    n += 1;
    return (await create({ ...enclavePod(), metadata: { ...unready, name: `probe-${n}` } })).code !== 0;
  });
}, 90_000);

afterAll(async () => {
  for (const each of undo.reverse()) await each();
});

function file(pod: Pod): string {
  const path = join(directory, `${pod.metadata?.name}.json`);
  writeFileSync(path, JSON.stringify({ apiVersion: 'v1', kind: 'Pod', ...pod }));
  return path;
}

const create = (pod: Pod) => kubectl.try('create', '-f', file(pod));

async function stored(name: string, namespace = 'shop'): Promise<Pod> {
  return JSON.parse(await kubectl('get', 'pod', name, '-n', namespace, '-o', 'json')) as Pod;
}

const COMPARISON = {
  sidecarImages: [SIDECAR_IMAGE],
  enclaveDomain: CONFIG.enclaveDomain,
  acceptsRoots: (roots: string) => roots === CONFIG.roots,
};

function profile(more: object): EnclaveProfile {
  const parsed = parseProfile({ image: APP_IMAGE, upstream: 'unix:/run/enclave/app.sock', ...more });
  if (!parsed.ok) throw new Error(parsed.message);
  return parsed.value;
}

describe('through the API server', () => {
  test('a self-deployed pod is stored with the sidecar that was injected, whatever admission adds', async () => {
    // The service account's own volume is mounted, also into the sidecar: admission does that after us.
    const pod = enclavePod(
      {},
      {
        initContainers: [{ name: 'migrate', image: APP_IMAGE }],
        volumes: [{ name: 'cache', emptyDir: { sizeLimit: '1024Mi' } }],
        hostUsers: undefined,
      },
    );
    expect(await create(pod)).toMatchObject({ code: 0 });
    const seen = await stored('web-1');
    expect(compareSidecar(seen, COMPARISON)).toMatchObject({ ok: true, value: { enclave: 'shop.web' } });
    expect(seen.spec?.volumes?.some(({ name }) => name.startsWith('kube-api-access-'))).toBe(true);
    const offline = injectedPod(pod, CONFIG);
    expect(offline.ok && specSha256(nodeCrypto, offline.value.spec ?? {})).toBe(
      specSha256(nodeCrypto, seen.spec ?? {}),
    );
  });

  test('specSha256 of a launched pod is what its owner computes offline', async () => {
    for (const [enclave, more] of [
      ['eaaaaaaaaaaaaaaa', {}],
      [
        'ebbbbbbbbbbbbbbb',
        {
          upstream: 'pod:8080',
          mode: 'http',
          command: ['/app', ''],
          args: ['--x'],
          env: [
            { name: 'EMPTY', value: '' },
            { name: 'B', value: '$(EMPTY)' },
          ],
          resources: { requests: { memory: '1024Mi', cpu: '0.5' }, limits: { memory: '2048Mi' } },
        },
      ],
    ] as const) {
      const launch = { enclave, ownerKeySha256: OWNER_KEY, namespace: 'shop' };
      const pod = launchedPod(profile(more), launch);
      expect(await launcher('create', '-f', file(pod))).toMatchObject({ code: 0 });
      const seen = await stored(enclave);
      expect(compareSidecar(seen, COMPARISON)).toMatchObject({ ok: true, value: { enclave } });
      const expected = expectedSpecSha256(profile(more), launch, CONFIG);
      expect(expected).toEqual({ ok: true, value: specSha256(nodeCrypto, seen.spec ?? {}) });
    }
  });

  test('kubectl shows why a pod is refused', async () => {
    const refused = async (pod: Pod, text: string) => {
      const { code, stderr } = await create({ ...pod, metadata: { ...pod.metadata, name: 'refused' } });
      expect(stderr).toContain(text);
      expect(code).not.toBe(0);
    };
    await refused(
      enclavePod({ [ANNOTATIONS.mode]: 'udp' }),
      'annotation enclave-licensing.dev/mode is "udp"',
    );
    await refused(enclavePod({}, { hostNetwork: true }), 'spec.hostNetwork is true');
    await refused(enclavePod({}, { containers: [{ name: 'a', image: 'app:1' }] }), 'is not pinned by digest');
    await refused(
      launchedPod(profile({}), { enclave: 'ecc', ownerKeySha256: OWNER_KEY, namespace: 'shop' }),
      'set by the launcher alone',
    );
    const plain = enclavePod();
    await refused({ ...plain, metadata: { ...plain.metadata, labels: {} } }, 'is reserved');
  });

  test('other namespaces and other pods stay as they are', async () => {
    const bare = (namespace: string): Pod => ({
      ...enclavePod(),
      metadata: { ...enclavePod().metadata, name: 'bare', namespace },
    });
    for (const namespace of ['plain', 'enclave-licensing']) {
      expect(
        await create({
          ...bare(namespace),
          spec: { ...bare(namespace).spec, serviceAccountName: 'default' },
        }),
      ).toMatchObject({ code: 0 });
      expect((await stored('bare', namespace)).spec?.initContainers).toBeUndefined();
    }
    const plain = { ...bare('shop'), metadata: { name: 'plain', namespace: 'shop', labels: { app: 'x' } } };
    expect(await create(plain)).toMatchObject({ code: 0 });
    expect((await stored('plain')).spec?.initContainers).toBeUndefined();
  });

  test('a webhook that is down refuses pods, and lets none through bare', async () => {
    for (const each of ['mutating', 'validating'])
      await kubectl(
        'patch',
        `${each}webhookconfiguration`,
        'enclave-licensing',
        '--type=json',
        '-p',
        JSON.stringify(
          (each === 'mutating' ? [0, 1] : [0]).map((i) => ({
            op: 'replace',
            path: `/webhooks/${i}/clientConfig/url`,
            value: 'https://localhost:1/mutate',
          })),
        ),
      );
    let n = 0;
    await until('a pod is refused', async () => {
      n += 1;
      const { stderr } = await create({
        ...enclavePod(),
        metadata: { ...enclavePod().metadata, name: `down-${n}` },
      });
      return stderr.includes('failed calling webhook');
    });
  });
});
