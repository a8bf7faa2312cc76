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

/** All that decides one sidecar. */
export interface SidecarWish {
  readonly image: string;
  readonly settings: SidecarSettings;
  readonly resources: SidecarResources;
  readonly socket: SocketMount | undefined;
}

/**
 * What a release injects. A change of any field is a new version; the release after it drops the older of the two.
 * Members of all that is injected stand in the order of RFC 8785 (by name), so that JSON.stringify writes its canonical form.
 */
export interface Template {
  readonly version: number;
  /** The native sidecar (KEP-753), complete with every default that an API server would write: what is stored is what was injected. */
  readonly container: (wish: SidecarWish) => Container;
  readonly volume: Volume;
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

const PORT_LIST = [
  { containerPort: PORTS.sidecar, name: SIDECAR_PORT_NAME, protocol: 'TCP' },
  { containerPort: PORTS.health, name: HEALTH_PORT_NAME, protocol: 'TCP' },
] as const;

/** Restricted Pod Security Standard, and a root file system that nobody writes. */
const SECURITY_CONTEXT = {
  allowPrivilegeEscalation: false,
  capabilities: { drop: ['ALL'] },
  privileged: false,
  readOnlyRootFilesystem: true,
  runAsGroup: SIDECAR_USER,
  runAsNonRoot: true,
  runAsUser: SIDECAR_USER,
  seccompProfile: { type: 'RuntimeDefault' },
} as const;

/** Both once a second. */
interface Probes {
  /** A launch waits for it. */
  readonly readiness: object;
  /** Passes after the first quote, so the app starts after attestation: ten minutes for a cluster that starts cold. */
  readonly startup: object;
}

function get(path: string): object {
  return { path, port: PORTS.health, scheme: 'HTTP' };
}

/** An answer waits: who is ready just after the kubelet has asked need not wait for its next question. Less than the probe's timeout. */
const WAIT = 'wait=800';

const PROBES: Probes = {
  readiness: {
    failureThreshold: 3,
    httpGet: get(`/readyz?${WAIT}`),
    periodSeconds: 1,
    successThreshold: 1,
    timeoutSeconds: 1,
  },
  startup: {
    failureThreshold: 600,
    httpGet: get(`/readyz/certificate?${WAIT}`),
    periodSeconds: 1,
    successThreshold: 1,
    timeoutSeconds: 1,
  },
};

const FORMER_PROBES: Probes = {
  readiness: {
    failureThreshold: 3,
    httpGet: get('/readyz'),
    periodSeconds: 1,
    successThreshold: 1,
    timeoutSeconds: 1,
  },
  startup: {
    failureThreshold: 600,
    periodSeconds: 1,
    successThreshold: 1,
    tcpSocket: { port: PORTS.sidecar },
    timeoutSeconds: 1,
  },
};

const TOKEN_MOUNT: VolumeMount = { mountPath: TOKEN_MOUNT_PATH, name: TOKEN_VOLUME, readOnly: true };

/** The sidecar's token: our audience, ten minutes (the least that Kubernetes allows). */
const TOKEN = { audience: AGENT_AUDIENCE, expirationSeconds: 600, path: 'token' } as const;

function template(version: number, { readiness, startup }: Probes): Template {
  return {
    version,
    container: ({ image, settings, resources, socket }) => ({
      env: sidecarEnvironment(settings),
      image,
      imagePullPolicy: 'IfNotPresent',
      name: SIDECAR_CONTAINER,
      ports: PORT_LIST,
      readinessProbe: readiness,
      resources: {
        limits: { memory: resources.memory },
        requests: { cpu: resources.cpu, memory: resources.memory },
      },
      restartPolicy: 'Always',
      securityContext: SECURITY_CONTEXT,
      startupProbe: startup,
      terminationMessagePath: '/dev/termination-log',
      // Where `kubectl describe pod` shows it.
      terminationMessagePolicy: 'FallbackToLogsOnError',
      volumeMounts: socket ? [TOKEN_MOUNT, { mountPath: socket.folder, name: socket.volume }] : [TOKEN_MOUNT],
    }),
    volume: {
      name: TOKEN_VOLUME,
      projected: { defaultMode: 0o444, sources: [{ serviceAccountToken: TOKEN }] },
    },
  };
}

/**
 * This release's template, then its predecessor's. The webhook injects and compares the first; an agent takes both, because pods outlive an
 * upgrade. Version 3 has probes that wait.
 */
export const TEMPLATES: readonly [Template, ...Template[]] = [
  template(3, PROBES),
  template(2, FORMER_PROBES),
];
