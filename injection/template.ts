import {
  HEALTH_PORT_NAME,
  SIDECAR_CONTAINER,
  SIDECAR_ENV,
  SIDECAR_PORT_NAME,
  TOKEN_FILE,
  TOKEN_MOUNT_PATH,
  TOKEN_VOLUME,
} from '../names/sidecar.ts';
import { AGENT_AUDIENCE, PORTS } from '../names/wire.ts';
import type { Container, EnvironmentVariable, Volume, VolumeMount } from './pod.ts';
import type { SidecarResources, SidecarSettings } from './settings.ts';

/** User and group of the sidecar's process (65532: "nonroot" of the usual base images); also the fsGroup of launched pods. */
export const SIDECAR_USER = 65_532;

/** Where the socket of a `unix:` upstream lies: a volume of the app's, mounted into the sidecar too. */
export interface SocketMount {
  readonly volume: string;
  readonly folder: string;
}

function fromField(name: string, fieldPath: string): EnvironmentVariable {
  return { name, valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath } } };
}

/** The sidecar's environment, in the order of the template. */
export function sidecarEnvironment(settings: SidecarSettings): EnvironmentVariable[] {
  const env: EnvironmentVariable[] = [
    { name: SIDECAR_ENV.roots, value: settings.roots },
    { name: SIDECAR_ENV.enclave, value: settings.enclave },
    { name: SIDECAR_ENV.enclaveDomain, value: settings.enclaveDomain },
  ];
  if (settings.ownerKeySha256 !== undefined)
    env.push({ name: SIDECAR_ENV.ownerKey, value: settings.ownerKeySha256 });
  env.push(
    { name: SIDECAR_ENV.mode, value: settings.mode },
    { name: SIDECAR_ENV.upstream, value: settings.upstream },
    { name: SIDECAR_ENV.auth, value: settings.auth },
    { name: SIDECAR_ENV.alpn, value: settings.alpn },
    { name: SIDECAR_ENV.keyType, value: settings.keyType },
    { name: SIDECAR_ENV.certificateLifetime, value: settings.certificateLifetime },
    { name: SIDECAR_ENV.tokenFile, value: TOKEN_FILE },
    fromField(SIDECAR_ENV.bind, 'status.podIP'),
    fromField(SIDECAR_ENV.agentHost, 'status.hostIP'),
    fromField(SIDECAR_ENV.node, 'spec.nodeName'),
    fromField(SIDECAR_ENV.podUid, 'metadata.uid'),
  );
  return env;
}

/**
 * The native sidecar (KEP-753), with every default that an API server would fill in written out: what is stored is what
 * was injected, so comparison is equality. It passes the restricted Pod Security Standard.
 */
export function sidecarContainer(
  image: string,
  settings: SidecarSettings,
  resources: SidecarResources,
  socket: SocketMount | undefined,
): Container {
  const volumeMounts: VolumeMount[] = [{ name: TOKEN_VOLUME, mountPath: TOKEN_MOUNT_PATH, readOnly: true }];
  if (socket !== undefined) volumeMounts.push({ name: socket.volume, mountPath: socket.folder });
  return {
    name: SIDECAR_CONTAINER,
    image,
    ...SIDECAR_FIXED,
    env: sidecarEnvironment(settings),
    resources: {
      requests: { cpu: resources.cpu, memory: resources.memory },
      limits: { memory: resources.memory },
    },
    volumeMounts,
  };
}

const SIDECAR_FIXED = {
  imagePullPolicy: 'IfNotPresent',
  restartPolicy: 'Always',
  ports: [
    { name: SIDECAR_PORT_NAME, containerPort: PORTS.sidecar, protocol: 'TCP' },
    { name: HEALTH_PORT_NAME, containerPort: PORTS.health, protocol: 'TCP' },
  ],
  // Opens after the first quote, so the app starts after attestation: ten minutes for a cluster that starts cold.
  startupProbe: {
    tcpSocket: { port: PORTS.sidecar },
    periodSeconds: 1,
    timeoutSeconds: 1,
    successThreshold: 1,
    failureThreshold: 600,
  },
  readinessProbe: {
    httpGet: { path: '/readyz', port: PORTS.health, scheme: 'HTTP' },
    // A launch waits for it.
    periodSeconds: 1,
    timeoutSeconds: 1,
    successThreshold: 1,
    failureThreshold: 3,
  },
  securityContext: {
    allowPrivilegeEscalation: false,
    capabilities: { drop: ['ALL'] },
    privileged: false,
    readOnlyRootFilesystem: true,
    runAsGroup: SIDECAR_USER,
    runAsNonRoot: true,
    runAsUser: SIDECAR_USER,
    seccompProfile: { type: 'RuntimeDefault' },
  },
  terminationMessagePath: '/dev/termination-log',
  terminationMessagePolicy: 'File',
};

/** The volume with the sidecar's token: our audience, ten minutes (the least that Kubernetes allows). */
export const TOKEN_VOLUME_TEMPLATE: Volume = {
  name: TOKEN_VOLUME,
  projected: {
    defaultMode: 0o444,
    sources: [{ serviceAccountToken: { audience: AGENT_AUDIENCE, expirationSeconds: 600, path: 'token' } }],
  },
};
