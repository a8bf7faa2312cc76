import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { encodePem } from '../../formats/x509/pem.ts';
import { INJECTION_LABEL } from '../../names/labels.ts';
import { OID_EKU_CLIENT_AUTH } from '../../names/oids.ts';
import { PORTS } from '../../names/wire.ts';
import { chainPem, privateKeyPem } from '../../platform/identity/credential.ts';
import { liveValue } from '../../platform/run/live.ts';
import { serverTlsOptions } from '../../platform/tls/server-options.ts';
import { startKubernetes } from '../../tools/kubernetes/kubernetes.ts';
import { parseTokens } from '../../webhook/callers.ts';
import { createWebhook } from '../../webhook/server.ts';
import { servingTls } from '../../webhook/serving-tls.ts';
import { CONFIG, enclavePod } from '../injection/support.ts';
import { type Kubectl, kubectlFor } from '../support/kubectl.ts';
import { recordingLogger } from '../support/recording-logger.ts';
import { recordingMetrics } from '../support/recording-metrics.ts';
import { createTestAuthority } from '../support/test-authority.ts';
import { until } from '../support/until.ts';
import { webhookConfigurations } from '../support/webhook-configuration.ts';
import { NAME } from './serving-fixture.ts';

interface AdmissionConfiguration {
  readonly kind: string;
  readonly plugins: { readonly name: string; readonly configuration: { kubeConfigFile: string } }[];
}
interface KubeConfig {
  readonly kind: string;
  readonly users: { readonly name: string; user: Record<string, string> }[];
}

/** The two files that docs/injection.md tells an operator to write. */
const [ADMISSION, KUBECONFIG] = [...readFileSync('docs/injection.md', 'utf8').matchAll(/```yaml\n(.*?)```/gs)]
  .map(([, text = '']) => parse(text) as { kind?: string })
  .filter(({ kind }) => kind === 'AdmissionConfiguration' || kind === 'Config') as [
  AdmissionConfiguration,
  KubeConfig,
];

test('the documented files name both plugins and this Service by name and port', () => {
  expect(ADMISSION.plugins.map(({ name }) => name)).toEqual([
    'MutatingAdmissionWebhook',
    'ValidatingAdmissionWebhook',
  ]);
  expect(KUBECONFIG.users).toMatchObject([{ name: `${NAME}:${PORTS.webhook}` }]);
});

const bin = process.env['ENCLAVE_TEST_KUBERNETES_BIN'];
/** Of the Services of `startKubernetes`; on this machine also an address to listen on. */
const CLUSTER_IP = '127.96.84.45';
const TOKEN = 'a-token-of-at-least-thirty-two-characters';

function onTheRealOne(): void {
  const directory = mkdtempSync(join(tmpdir(), 'cred-'));
  const undo: (() => unknown)[] = [() => rmSync(directory, { recursive: true, force: true })];
  const callers = createTestAuthority('callers');
  const roots = liveValue<readonly Uint8Array[]>([callers.root]);
  const hashes = (text: string) => {
    const parsed = parseTokens(text);
    if (!parsed.ok) throw new Error(parsed.message);
    return parsed.value;
  };
  const tokens = liveValue(hashes(TOKEN));
  const metrics = recordingMetrics();
  let kubectl: Kubectl;
  let made = 0;

  /** `created`, or what kubectl printed. */
  async function create(): Promise<string> {
    made += 1;
    const pod = enclavePod();
    const path = join(directory, `${made}.json`);
    writeFileSync(path, JSON.stringify({ ...pod, metadata: { ...pod.metadata, name: `web-${made}` } }));
    const { code, stderr } = await kubectl.try('create', '-f', path);
    return code === 0 ? 'created' : stderr;
  }

  beforeAll(async () => {
    const write = (name: string, text: string): string => {
      writeFileSync(join(directory, name), text, { mode: 0o600 });
      return join(directory, name);
    };
    const client = callers.issue({ dns: ['kube-apiserver'], extendedKeyUsage: [OID_EKU_CLIENT_AUTH] });
    const user = {
      'client-certificate': write('client.crt', chainPem(client)),
      'client-key': write('client.key', privateKeyPem(client.privateKey)),
      tokenFile: write('token', TOKEN),
    };
    for (const entry of KUBECONFIG.users) {
      expect(Object.keys(entry.user)).toEqual(Object.keys(user));
      entry.user = user;
    }
    const kubeConfigFile = write('webhook.kubeconfig', stringify(KUBECONFIG));
    for (const { configuration } of ADMISSION.plugins) configuration.kubeConfigFile = kubeConfigFile;
    const kubernetes = await startKubernetes(bin ?? '', join(directory, 'kubernetes'), [
      `--admission-control-config-file=${write('admission.yaml', stringify(ADMISSION))}`,
    ]);
    undo.push(() => kubernetes.stop());
    kubectl = await kubectlFor(kubernetes.kubeconfig, directory);

    const authority = createTestAuthority();
    const { log } = recordingLogger();
    const tls = servingTls(liveValue(authority.issue({ dns: [NAME] })), roots);
    const webhook = createWebhook({
      config: () => CONFIG,
      releaseNamespace: 'enclave-licensing',
      log,
      metrics,
      https: serverTlsOptions(tls.current()),
      callers: { clientRoots: roots, clientNames: ['kube-apiserver'], tokens, now: () => Date.now() },
    });
    await webhook.listen({ host: CLUSTER_IP, port: PORTS.webhook });
    undo.push(() => webhook.close());

    const namespace = (name: string, labels = {}) => ({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name, labels },
    });
    const caBundle = Buffer.from(encodePem('CERTIFICATE', authority.root)).toString('base64');
    const service = { namespace: 'enclave-licensing', name: 'enclave-webhook' };
    await kubectl.apply(
      namespace('shop', { [INJECTION_LABEL]: 'enabled' }),
      namespace('enclave-licensing'),
      { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'web', namespace: 'shop' } },
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: service,
        spec: { clusterIP: CLUSTER_IP, ports: [{ name: 'https', port: PORTS.webhook }] },
      },
      ...webhookConfigurations('https://x', caBundle).map((configuration) => ({
        ...configuration,
        webhooks: configuration.webhooks.map((webhook) => {
          const { pathname: path } = new URL((webhook.clientConfig as { url: string }).url);
          return {
            ...webhook,
            clientConfig: { caBundle, service: { ...service, path, port: PORTS.webhook } },
          };
        }),
      })),
    );
    await until('the webhook is asked', async () => {
      await create();
      return (metrics.values.get('reviews_total{endpoint="mutate",outcome="patched"}') ?? 0) > 0;
    });
  }, 90_000);

  afterAll(async () => {
    for (const each of undo.reverse()) await each();
  });

  test('certificate and token are shown, and pods are injected', async () => {
    expect(await create()).toBe('created');
    const name = `web-${made}`;
    expect(
      await kubectl('get', 'pod', name, '-n', 'shop', '-o', 'jsonpath={.spec.initContainers[0].name}'),
    ).toBe('enclave-sidecar');
    expect(metrics.values.get('rejected_total{code="caller-unknown"}')).toBeUndefined();
  });

  test('another token refuses the pod', async () => {
    tokens.set(hashes(`${TOKEN}-other`));
    expect(await create()).toMatch(/failed calling webhook.*provide credentials/s);
    tokens.set(hashes(`${TOKEN}-other\n${TOKEN}`));
    expect(await create()).toBe('created');
  });

  test('while the roots change and the caller’s stays among them, no call fails', async () => {
    const stop = new AbortController();
    const seen: string[] = [];
    const load = Array.from({ length: 3 }, async () => {
      while (!stop.signal.aborted) seen.push(await create());
    });
    for (let i = 0; i < 6; i += 1) {
      const enough = seen.length + 6;
      await until('more pods', async () => seen.length >= enough);
      roots.set(i % 2 === 0 ? [createTestAuthority(`more ${i}`).root, callers.root] : [callers.root]);
    }
    stop.abort();
    await Promise.all(load);
    expect(seen.filter((each) => each !== 'created')).toEqual([]);
  });
}

if (bin !== undefined) describe('a real kube-apiserver with them', onTheRealOne);
