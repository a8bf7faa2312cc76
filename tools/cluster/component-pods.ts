/**
 * The release as bare pods, for the development cluster, which has no Deployments and no DaemonSets: the chart's are those of a real
 * one. Each component runs with its own service account, its projected token and the flags below; none is an administrator.
 */
import { binaryName, ROOTS_CONFIG_MAP, serviceDnsName } from '../../names/components.ts';
import { ENROLMENT_AUDIENCE, PORTS } from '../../names/wire.ts';
import { type Catalogue, type ImageName, imageReference } from './catalogue.ts';

export interface ClusterNode {
  readonly name: string;
  /** Folder on the node that holds the TPM's socket, `tpm.sock`. */
  readonly tpmDirectory: string;
}

export interface Release {
  readonly catalogue: Catalogue;
  readonly namespace: string;
  readonly enclaveNamespaces: readonly string[];
  readonly nodes: readonly ClusterNode[];
  readonly ekRootsDirectory: string;
  readonly frontNames: readonly string[];
  readonly requireIsolation: boolean;
  readonly seats: number;
  /** Secret of the release's namespace whose `url` leads to PostgreSQL; without it front has a SQLite file. */
  readonly databaseSecret?: string;
  readonly webhookConfigurations: readonly string[];
  /** host:port of each Service by name, where there is no DNS: as on the development cluster. */
  readonly services?: Readonly<Record<string, string>>;
}

const TOKEN_FOLDER = '/var/run/secrets/kubernetes.io/serviceaccount';
const ROOTS_FOLDER = '/etc/enclave-licensing';
const STATE_FOLDER = '/var/lib/enclave-licensing';
const KUBE_ARGS = [`--kube-token-file=${TOKEN_FOLDER}/token`, `--kube-ca-file=${TOKEN_FOLDER}/ca.crt`];
const ROOTS_ARG = `--roots-file=${ROOTS_FOLDER}/roots.json`;

interface Volume {
  readonly name: string;
  readonly mountPath: string;
  readonly source: Readonly<Record<string, unknown>>;
}

const rootsVolume: Volume = {
  name: 'roots',
  mountPath: ROOTS_FOLDER,
  source: { configMap: { name: ROOTS_CONFIG_MAP } },
};

function pod(
  release: Release,
  component: ImageName,
  args: readonly string[],
  options: {
    node?: string;
    hostNetwork?: boolean;
    volumes?: readonly Volume[];
    name?: string;
    graceSeconds?: number;
  } = {},
): object {
  const volumes = options.volumes ?? [];
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: options.name ?? component,
      namespace: release.namespace,
      labels: { 'app.kubernetes.io/name': component, 'app.kubernetes.io/part-of': 'enclave-licensing' },
    },
    spec: {
      serviceAccountName: component,
      ...(options.node === undefined ? {} : { nodeName: options.node }),
      ...(options.hostNetwork ? { hostNetwork: true } : {}),
      terminationGracePeriodSeconds: options.graceSeconds ?? 5,
      // A Service named enclave-certs would set ENCLAVE_CERTS_PORT, which is the environment of --port.
      enableServiceLinks: false,
      containers: [
        {
          name: component,
          image: imageReference(release.catalogue, component),
          args: ['--bind=$(POD_IP)', `--release-namespace=${release.namespace}`, ...KUBE_ARGS, ...args],
          env: [
            { name: 'POD_IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
            { name: 'NODE_NAME', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } },
          ],
          readinessProbe: { httpGet: { path: '/readyz', port: 9464 }, periodSeconds: 1 },
          volumeMounts: volumes.map(({ name, mountPath }) => ({ name, mountPath })),
        },
      ],
      volumes: volumes.map(({ name, source }) => ({ name, ...source })),
    },
  };
}

function address(release: Release, component: 'certs' | 'launcher'): string {
  return (
    release.services?.[binaryName(component)] ??
    `${serviceDnsName(component, release.namespace)}:${PORTS[component]}`
  );
}

function agentPod(release: Release, node: ClusterNode): object {
  const token = {
    projected: {
      sources: [
        { serviceAccountToken: { audience: ENROLMENT_AUDIENCE, path: 'token', expirationSeconds: 600 } },
      ],
    },
  };
  return pod(
    release,
    'enclave-agent',
    [
      '--node=$(NODE_NAME)',
      '--tpm=swtpm:/run/tpm/tpm.sock',
      '--enrolment-token-file=/var/run/secrets/enrolment/token',
      `--sidecar-images=${imageReference(release.catalogue, 'enclave-sidecar')}`,
      `--certs=${address(release, 'certs')}`,
      ROOTS_ARG,
    ],
    {
      name: `enclave-agent-${node.name}`,
      node: node.name,
      hostNetwork: true,
      volumes: [
        rootsVolume,
        { name: 'tpm', mountPath: '/run/tpm', source: { hostPath: { path: node.tpmDirectory } } },
        { name: 'enrolment', mountPath: '/var/run/secrets/enrolment', source: token },
      ],
    },
  );
}

/** Every pod of the release, in no particular order: each waits for what it needs. */
export function componentPods(release: Release): object[] {
  const sidecar = imageReference(release.catalogue, 'enclave-sidecar');
  // What front keeps is on one machine.
  const home = release.nodes[0]?.name;
  const stay = home === undefined ? {} : { node: home };
  return [
    ...release.nodes.map((node) => agentPod(release, node)),
    pod(
      release,
      'enclave-certs',
      [
        '--ek-roots-dir=/etc/ek-roots',
        '--pcrs=sha256:0,1,2,3,4,5,6,7',
        `--front-names=${release.frontNames.join(',')}`,
        `--webhook-configurations=${release.webhookConfigurations.join(',')}`,
      ],
      {
        volumes: [
          {
            name: 'ek-roots',
            mountPath: '/etc/ek-roots',
            source: { hostPath: { path: release.ekRootsDirectory } },
          },
        ],
      },
    ),
    pod(
      release,
      'enclave-webhook',
      [`--sidecar-image=${sidecar}`, `--excluded-namespaces=${release.namespace},kube-system`, ROOTS_ARG],
      // It serves on for five seconds before it drains.
      { volumes: [rootsVolume], graceSeconds: 15 },
    ),
    pod(
      release,
      'enclave-launcher',
      [
        `--namespaces=${release.enclaveNamespaces.join(',')}`,
        `--sidecar-image=${sidecar}`,
        `--require-isolation=${release.requireIsolation}`,
        `--certs=${address(release, 'certs')}`,
        ROOTS_ARG,
      ],
      { volumes: [rootsVolume] },
    ),
    pod(
      release,
      'enclave-front',
      [
        `--launcher=${address(release, 'launcher')}`,
        release.databaseSecret === undefined
          ? `--database=${STATE_FOLDER}/front.db`
          : `--database-url-file=${STATE_FOLDER}/url`,
        `--seats=${release.seats}`,
        `--public-names=${release.frontNames.join(',')}`,
        `--certs=${address(release, 'certs')}`,
        ROOTS_ARG,
      ],
      {
        ...stay,
        volumes: [
          rootsVolume,
          {
            name: 'state',
            mountPath: STATE_FOLDER,
            source:
              release.databaseSecret === undefined
                ? { emptyDir: {} }
                : { secret: { secretName: release.databaseSecret } },
          },
        ],
      },
    ),
  ];
}
