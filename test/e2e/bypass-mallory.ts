/** Mallory: what somebody with a namespace user's rights has, and deploys. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ANNOTATIONS, ENABLED, INJECT_LABEL } from '../../names/labels.ts';
import { ENCLAVE_NAMESPACE, type Environment } from '../../tools/cluster/environment.ts';
import { UPSTREAM } from '../../tools/demo/operator.ts';

/** A namespace of mallory's that has no enclaves yet. */
export const PLAIN = 'plain';

interface LooseContainer {
  name: string;
  image: string;
  [member: string]: unknown;
}
export interface LoosePod {
  apiVersion: string;
  kind: string;
  metadata: {
    name: string;
    namespace: string;
    labels: Record<string, string>;
    annotations: Record<string, string>;
  };
  spec: {
    initContainers?: LooseContainer[];
    containers: LooseContainer[];
    volumes: object[];
    [member: string]: unknown;
  };
}

/** What ClusterRole `edit` gives in a namespace, and writing status and bindings, which it does not. */
const RULES = [
  {
    apiGroups: [''],
    resources: [
      ...['pods', 'pods/status', 'pods/log', 'pods/binding', 'bindings', 'pods/ephemeralcontainers'],
      ...['pods/exec', 'pods/attach', 'pods/portforward', 'pods/proxy', 'services', 'services/proxy'],
      ...['serviceaccounts', 'serviceaccounts/token', 'configmaps'],
    ],
    verbs: ['*'],
  },
  { apiGroups: ['networking.k8s.io'], resources: ['networkpolicies'], verbs: ['*'] },
];
/** What some of them have in the whole cluster: a certificate of another signer, a look at the nodes. */
const CLUSTER_RULES = [
  { apiGroups: ['certificates.k8s.io'], resources: ['certificatesigningrequests'], verbs: ['create', 'get'] },
  { apiGroups: [''], resources: ['nodes/proxy'], verbs: ['get', 'create'] },
];

/** What mallory deploys as an honest author would. */
export function honestPod(name: string, image: string): LoosePod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: ENCLAVE_NAMESPACE,
      labels: { [INJECT_LABEL]: ENABLED },
      annotations: { [ANNOTATIONS.upstream]: UPSTREAM, [ANNOTATIONS.ownerKey]: 'ab'.repeat(32) },
    },
    spec: {
      serviceAccountName: 'mallory',
      securityContext: { fsGroup: 2000 },
      terminationGracePeriodSeconds: 1,
      containers: [
        {
          name: 'app',
          image,
          args: ['--socket', '/run/enclave/app.sock'],
          volumeMounts: [{ name: 'run', mountPath: '/run/enclave' }],
        },
      ],
      volumes: [{ name: 'run', emptyDir: {} }],
    },
  };
}

/** Mallory's accounts, namespace and rights. */
export function malloryObjects(): object[] {
  const group = 'rbac.authorization.k8s.io';
  const subjects = [{ kind: 'ServiceAccount', name: 'mallory', namespace: ENCLAVE_NAMESPACE }];
  const bound = (kind: 'Role' | 'ClusterRole', metadata: object, rules: object[]): object[] => [
    { apiVersion: `${group}/v1`, kind, metadata, rules },
    {
      apiVersion: `${group}/v1`,
      kind: `${kind}Binding`,
      metadata,
      roleRef: { apiGroup: group, kind, name: 'mallory' },
      subjects,
    },
  ];
  const account = (name: string, namespace: string): object => ({
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name, namespace },
  });
  return [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: PLAIN } },
    account('mallory', ENCLAVE_NAMESPACE),
    account('web', ENCLAVE_NAMESPACE),
    account('mallory', PLAIN),
    ...bound('Role', { name: 'mallory', namespace: ENCLAVE_NAMESPACE }, RULES),
    ...bound('Role', { name: 'mallory', namespace: PLAIN }, RULES),
    ...bound('ClusterRole', { name: 'mallory' }, CLUSTER_RULES),
  ];
}

/** Path of a kubeconfig with mallory's token. */
export async function malloryKubeconfig({ kubectl, directory }: Environment): Promise<string> {
  const view = JSON.parse(await kubectl(['config', 'view', '--raw', '-o', 'json'])) as {
    clusters: { name: string; cluster: object }[];
  };
  const token = (
    await kubectl(['create', 'token', 'mallory', '-n', ENCLAVE_NAMESPACE, '--duration=2h'])
  ).trim();
  const context = { cluster: view.clusters[0]?.name, user: 'mallory', namespace: ENCLAVE_NAMESPACE };
  const file = join(directory, 'mallory.kubeconfig');
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: view.clusters,
    users: [{ name: 'mallory', user: { token } }],
    contexts: [{ name: 'mallory', context }],
    'current-context': 'mallory',
  };
  writeFileSync(file, JSON.stringify(config), { mode: 0o600 });
  return file;
}
