import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { certsApp } from '../../certs/app.ts';
import { CERTS_OPTIONS } from '../../certs/options.ts';
import { startApiServer } from '../../devcluster/api/api-server.ts';
import { readConfig } from '../../platform/config/config.ts';
import { createHealth, type Health } from '../../platform/health/health.ts';
import { createKube } from '../../platform/kube/create-kube.ts';
import type { Kube } from '../../platform/kube/kube.ts';
import { isKubeError } from '../../platform/kube/kube-error.ts';
import { apiServerFromKubeconfig } from '../../platform/kube/kubeconfig.ts';
import { NAMESPACES, PODS, SERVICE_ACCOUNTS } from '../../platform/kube/resources.ts';
import type { KubeObject, Resource } from '../../platform/kube/wire.ts';
import { systemClock } from '../../platform/run/clock.ts';
import { COMMON_OPTIONS } from '../../platform/run/context.ts';
import { freePorts } from '../../tools/cluster/free-ports.ts';
import { startKubernetes } from '../../tools/kubernetes/kubernetes.ts';
import { loopbackAddress } from '../support/loopback-block.ts';
import { recordingLogger } from '../support/recording-logger.ts';
import { recordingMetrics } from '../support/recording-metrics.ts';
import { until } from '../support/until.ts';

export const RELEASE = 'enclave-licensing';
export const CERTS_ADDRESS = loopbackAddress();

export interface TestCluster {
  readonly admin: Kube;
  readonly folder: string;
  /** A client with a component's own token; for an agent bound to its pod, so that it names the node. */
  as(account: string, pod?: { readonly name: string }): Promise<Kube>;
  token(account: string, audiences?: readonly string[], pod?: { readonly name: string }): Promise<string>;
  /** The API server goes away, and comes back with what it stored. */
  suspend(): Promise<void>;
  resume(): Promise<void>;
  close(): Promise<void>;
}

const SCOPES: Readonly<Record<string, readonly [string, boolean]>> = {
  ServiceAccount: ['serviceaccounts', true],
  ClusterRole: ['clusterroles', false],
  ClusterRoleBinding: ['clusterrolebindings', false],
  Role: ['roles', true],
  RoleBinding: ['rolebindings', true],
  Service: ['services', true],
  CustomResourceDefinition: ['customresourcedefinitions', false],
  ValidatingAdmissionPolicy: ['validatingadmissionpolicies', false],
  ValidatingAdmissionPolicyBinding: ['validatingadmissionpolicybindings', false],
};

interface ApiServerHandle {
  /** Its text. */
  readonly kubeconfig: string;
  suspend(): Promise<void>;
  resume(): Promise<void>;
  stop(): Promise<void>;
}

/** The development cluster's, or (`make test-kube`) a real kube-apiserver of this suite alone. */
async function startServer(folder: string): Promise<ApiServerHandle> {
  const bin = process.env['ENCLAVE_TEST_KUBERNETES_BIN'];
  if (bin === undefined) {
    const [port = 0] = await freePorts(1);
    const own = await startApiServer({ address: '127.0.0.1', port });
    return { kubeconfig: own.adminKubeconfig(), suspend: own.suspend, resume: own.resume, stop: own.close };
  }
  const real = await startKubernetes(bin, join(folder, 'kubernetes'));
  return { ...real, kubeconfig: readFileSync(real.kubeconfig, 'utf8') };
}

/** An API server with the release's objects as the chart has them. */
export async function startTestCluster(): Promise<TestCluster> {
  const folder = mkdtempSync(join(tmpdir(), 'certs-cluster-'));
  const server = await startServer(folder);
  const path = join(folder, 'kubeconfig');
  writeFileSync(path, server.kubeconfig, { mode: 0o600 });
  const api = apiServerFromKubeconfig(path);
  const admin = createKube(api);
  const kubes = [admin];
  for (const namespace of [RELEASE, 'team'])
    await ensure(admin, NAMESPACES, { metadata: { name: namespace } });
  for (const file of ['crds.yaml', 'certs.yaml', 'agent.yaml', 'front.yaml', 'launcher.yaml', 'webhook.yaml'])
    await applyFile(admin, join('charts/licensing/files', file));
  for (const [namespace, name] of [
    [RELEASE, 'default'],
    ['team', 'default'],
  ] as const)
    await ensure(admin, SERVICE_ACCOUNTS, { metadata: { name, namespace } });
  const token: TestCluster['token'] = async (account, audiences = [], pod) => {
    const found = pod && (await admin.get(PODS, { name: pod.name, namespace: RELEASE }));
    const boundObjectRef = found && {
      kind: 'Pod',
      apiVersion: 'v1',
      name: pod.name,
      uid: found.metadata?.uid,
    };
    const answer = await admin.createSubresource<{ status: { token: string } }>(
      SERVICE_ACCOUNTS,
      { name: account, namespace: RELEASE },
      'token',
      {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenRequest',
        spec: {
          audiences: [...audiences],
          expirationSeconds: 3600,
          ...(boundObjectRef && { boundObjectRef }),
        },
      },
    );
    return answer.status.token;
  };
  writeFileSync(join(folder, 'ca.crt'), api.ca());
  writeFileSync(join(folder, 'server'), api.server);
  return {
    admin,
    folder,
    token,
    suspend: server.suspend,
    resume: server.resume,
    as: async (account, pod) => {
      const bearer = await token(account, [], pod);
      const kube = createKube({ server: api.server, ca: api.ca, token: () => bearer });
      kubes.push(kube);
      return kube;
    },
    close: async () => {
      for (const kube of kubes) kube.close();
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Creates it, or leaves the one that is there. */
export async function ensure<T extends KubeObject>(
  kube: Kube,
  resource: Resource<T>,
  object: T,
): Promise<void> {
  try {
    await kube.create(resource, object);
  } catch (error) {
    if (!isKubeError(error, 'AlreadyExists')) throw error;
  }
}

async function applyFile(admin: Kube, path: string): Promise<void> {
  for (const document of parseAllDocuments(readFileSync(path, 'utf8'))) {
    const object = document.toJS() as KubeObject & { apiVersion: string; kind: string };
    const scope = SCOPES[object.kind];
    if (scope === undefined) continue;
    const [plural, namespaced] = scope;
    const { apiVersion, kind } = object;
    await ensure(admin, { apiVersion, kind, plural, namespaced }, object);
  }
}

export interface RunningService {
  readonly port: number;
  readonly health: Health;
  readonly lines: readonly string[];
  readonly metrics: ReadonlyMap<string, number>;
  stop(): Promise<void>;
}

/** The certificate service in this process, with its own service account's token and nothing more. */
export async function startCerts(cluster: TestCluster, ...flags: string[]): Promise<RunningService> {
  const { folder } = cluster;
  const tokenFile = join(folder, 'token');
  writeFileSync(tokenFile, await cluster.token('enclave-certs'), { mode: 0o600 });
  const argv = [
    `--bind=${CERTS_ADDRESS}`,
    '--port=0',
    `--kube-api=${readFileSync(join(folder, 'server'), 'utf8')}`,
    `--kube-token-file=${tokenFile}`,
    `--kube-ca-file=${join(folder, 'ca.crt')}`,
    `--ek-roots-dir=${join(folder, 'ek-roots')}`,
    '--webhook-configurations=enclave-licensing',
    ...flags,
  ];
  const options = { ...COMMON_OPTIONS, ...CERTS_OPTIONS };
  const config = await readConfig(options, { argv, environment: {}, environmentPrefix: 'ENCLAVE_CERTS_' });
  const { log, lines } = recordingLogger();
  const metrics = recordingMetrics();
  const health = createHealth();
  const abort = new AbortController();
  const ended = certsApp({
    component: 'certs',
    config,
    log,
    metrics,
    health,
    signal: abort.signal,
    clock: systemClock,
  });
  const failed = ended.then(() => {
    throw new Error('ended');
  });
  const ready = until('ready', async () => health.ready().ok && health.ready().lines.length >= 3);
  await Promise.race([ready, failed]);
  failed.catch(() => undefined);
  const listening = lines.map((line) => JSON.parse(line) as { port?: number }).find((line) => line.port);
  return {
    port: listening?.port ?? 0,
    health,
    lines,
    metrics: metrics.values,
    stop: async () => {
      abort.abort();
      await ended;
    },
  };
}
