import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { startApiServer } from '../../devcluster/api/api-server.ts';
import { type Roots, rootsToJson } from '../../formats/evidence/roots.ts';
import { encodePem } from '../../formats/x509/pem.ts';
import { INJECTION_LABEL } from '../../names/labels.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import { createKube } from '../../platform/kube/create-kube.ts';
import type { Kube } from '../../platform/kube/kube.ts';
import { isKubeError } from '../../platform/kube/kube-error.ts';
import { apiServerFromKubeconfig } from '../../platform/kube/kubeconfig.ts';
import {
  customResource,
  MUTATING_WEBHOOK_CONFIGURATIONS,
  NAMESPACES,
  PODS,
  SERVICE_ACCOUNTS,
} from '../../platform/kube/resources.ts';
import type { KubeObject } from '../../platform/kube/wire.ts';
import { silentLogger } from '../../platform/log/logger.ts';
import { serverTlsOptions } from '../../platform/tls/server-options.ts';
import { launcherBinding } from '../../tools/cluster/launcher-binding.ts';
import { createWebhook } from '../../webhook/server.ts';
import { recordingMetrics } from './recording-metrics.ts';
import { createTestAuthority, type TestAuthority } from './test-authority.ts';
import { until } from './until.ts';

export const SIDECAR_IMAGE = `registry.example/enclave-sidecar@sha256:${'5'.repeat(64)}`;
export const APP_IMAGE = `registry.example/app@sha256:${'a'.repeat(64)}`;
export const ENCLAVE_DOMAIN = 'enclaves.enclave-licensing.internal';
export const RELEASE = 'enclave-licensing';

export const PROFILES = customResource<KubeObject & { spec: object }>(
  'enclave-licensing.dev/v1alpha1',
  'EnclaveProfile',
  'enclaveprofiles',
  true,
);

/** Where every enclave of these suites runs. */
export const ENCLAVES_NODE = 'launcher-1';

export interface LauncherCluster {
  readonly admin: Kube;
  /** With the launcher's own service account and no more rights than it has. */
  readonly launcherKube: Kube;
  /** The agent of `ENCLAVES_NODE`. */
  readonly agentKube: Kube;
  readonly namespace: string;
  readonly authorities: { readonly enclaves: TestAuthority; readonly users: TestAuthority };
  readonly roots: Roots;
  /** Undefined on a kube-apiserver of its own, which cannot be sent away by a test. */
  readonly api: { suspend(): Promise<void>; resume(): Promise<void> } | undefined;
  /** The webhook goes away, or comes back. */
  stopWebhook(): Promise<void>;
  close(): Promise<void>;
}

/** An API server (the devcluster's, or with ENCLAVE_TEST_KUBECONFIG a real one), our CRDs, the launcher's rights, and the webhook. */
export async function startLauncherCluster(): Promise<LauncherCluster> {
  const undo: (() => unknown)[] = [];
  const { api, connection } = await findApiServer(undo);
  const admin = createKube(connection);
  undo.push(() => admin.close());
  const namespace = `apps-${randomBytes(4).toString('hex')}`;
  const authorities = { enclaves: createTestAuthority('enclaves'), users: createTestAuthority('users') };
  const roots: Roots = {
    system: [createTestAuthority('system').root],
    enclaves: [authorities.enclaves.root],
    users: [authorities.users.root],
    'attestation-keys': [createTestAuthority('attestation keys').root],
  };
  for (const name of [RELEASE, namespace])
    await ensure(admin, NAMESPACES, { metadata: { name, labels: { [INJECTION_LABEL]: 'enabled' } } });
  await ensure(admin, SERVICE_ACCOUNTS, { metadata: { name: 'default', namespace } });
  for (const file of ['crds', 'launcher', 'agent']) await applyFile(admin, file);
  await ensure(admin, resourceOf('RoleBinding'), launcherBinding(namespace, RELEASE) as KubeObject);
  const kubeOf = async (name: string, boundObjectRef?: object): Promise<Kube> => {
    const { status } = await admin.createSubresource<{ status: { token: string } }>(
      SERVICE_ACCOUNTS,
      { namespace: RELEASE, name },
      'token',
      {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenRequest',
        spec: { expirationSeconds: 3600, boundObjectRef },
      },
    );
    const { server, ca } = connection;
    const kube = createKube({ server, ca, token: () => status.token });
    undo.push(() => kube.close());
    return kube;
  };
  const launcherKube = await kubeOf('enclave-launcher');
  const agentKube = await kubeOf('enclave-agent', await agentPod(admin));
  const stopWebhook = await serveWebhook(admin, namespace, roots, undo);
  await until('the CRD is served', async () =>
    admin.list(PROFILES, { namespace }).then(
      () => true,
      () => false,
    ),
  );
  const close = async (): Promise<void> => {
    for (const each of undo.splice(0).reverse()) await each();
  };
  return { admin, launcherKube, agentKube, namespace, authorities, roots, api, stopWebhook, close };
}

/** On the node of the enclaves; what its token is bound to. */
async function agentPod(admin: Kube): Promise<object> {
  const pod = await admin.create(PODS, {
    metadata: { generateName: 'enclave-agent-', namespace: RELEASE },
    spec: {
      nodeName: ENCLAVES_NODE,
      serviceAccountName: 'enclave-agent',
      containers: [{ name: 'agent', image: 'agent' }],
    },
  });
  return { apiVersion: 'v1', kind: 'Pod', name: pod.metadata?.name, uid: pod.metadata?.uid };
}

async function findApiServer(undo: (() => unknown)[]) {
  const kubeconfig = process.env['ENCLAVE_TEST_KUBECONFIG'];
  if (kubeconfig !== undefined) return { api: undefined, connection: apiServerFromKubeconfig(kubeconfig) };
  const api = await startApiServer({ address: '127.0.0.1', port: 0 });
  undo.push(() => api.close());
  const folder = mkdtempSync(join(tmpdir(), 'launcher-'));
  undo.push(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'kubeconfig');
  writeFileSync(file, api.adminKubeconfig());
  return { api, connection: apiServerFromKubeconfig(file) };
}

async function serveWebhook(
  admin: Kube,
  namespace: string,
  roots: Roots,
  undo: (() => unknown)[],
): Promise<() => Promise<void>> {
  const authority = createTestAuthority('webhook');
  const webhook = createWebhook({
    config: () => ({
      crypto: nodeCrypto,
      sidecarImage: SIDECAR_IMAGE,
      roots: rootsToJson(roots),
      enclaveDomain: ENCLAVE_DOMAIN,
    }),
    releaseNamespace: RELEASE,
    log: silentLogger,
    metrics: recordingMetrics(),
    https: serverTlsOptions({ credential: authority.issue({ dns: ['localhost'] }) }),
  });
  await webhook.listen({ host: '127.0.0.1', port: 0 });
  undo.push(() => webhook.close());
  const { port } = webhook.server.address() as AddressInfo;
  const name = `launcher-test-${namespace}`;
  await ensure(admin, MUTATING_WEBHOOK_CONFIGURATIONS, {
    metadata: { name },
    webhooks: [
      {
        name: 'launched.enclave-licensing.dev',
        admissionReviewVersions: ['v1'],
        sideEffects: 'None',
        failurePolicy: 'Fail',
        clientConfig: {
          url: `https://localhost:${port}/mutate`,
          caBundle: Buffer.from(encodePem('CERTIFICATE', authority.root)).toString('base64'),
        },
        rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'] }],
        namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } },
      },
    ],
  });
  undo.push(() => admin.delete(MUTATING_WEBHOOK_CONFIGURATIONS, { name }).catch(() => undefined));
  return async () => {
    await webhook.close();
  };
}

/** Objects of charts/licensing/files, as an operator applies them. */
async function applyFile(admin: Kube, file: string): Promise<void> {
  const text = readFileSync(new URL(`../../charts/licensing/files/${file}.yaml`, import.meta.url), 'utf8');
  for (const document of parseAllDocuments(text)) {
    const object = document.toJS() as KubeObject;
    await ensure(admin, resourceOf(object.kind ?? ''), object);
  }
}

function resourceOf(kind: string) {
  const rbac = 'rbac.authorization.k8s.io/v1';
  const admission = 'admissionregistration.k8s.io/v1';
  const rows: Record<string, readonly [string, string, boolean]> = {
    ServiceAccount: ['v1', 'serviceaccounts', true],
    Service: ['v1', 'services', true],
    ClusterRole: [rbac, 'clusterroles', false],
    ClusterRoleBinding: [rbac, 'clusterrolebindings', false],
    RoleBinding: [rbac, 'rolebindings', true],
    CustomResourceDefinition: ['apiextensions.k8s.io/v1', 'customresourcedefinitions', false],
    ValidatingAdmissionPolicy: [admission, 'validatingadmissionpolicies', false],
    ValidatingAdmissionPolicyBinding: [admission, 'validatingadmissionpolicybindings', false],
  };
  const row = rows[kind];
  if (row === undefined) throw new Error(`${kind} is not applied here`);
  return customResource<KubeObject>(row[0], kind, row[1], row[2]);
}

async function ensure<T extends KubeObject>(
  kube: Kube,
  resource: Parameters<typeof kube.create<T>>[0],
  object: T,
): Promise<void> {
  try {
    await kube.create(resource, object);
  } catch (error) {
    if (!isKubeError(error, 'AlreadyExists')) throw error;
  }
}
