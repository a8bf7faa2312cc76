import { ENCLAVES_SERVICE } from '../names/components.ts';
import { ANNOTATIONS, ENCLAVE_LABEL, LAUNCHED, MANAGED_BY_LABEL } from '../names/labels.ts';
import type { Pod, PodSpec } from './pod.ts';
import type { EnclaveProfile } from './profile.ts';
import { SIDECAR_USER } from './template.ts';
import { parseUpstream } from './upstream.ts';

export interface Launch {
  /** The enclave's id, which is also the pod's name. */
  readonly enclave: string;
  /** Lower-case hex SHA-256 of the owner key's SPKI. */
  readonly ownerKeySha256: string;
  readonly namespace: string;
}

/** The volume that holds the socket of a `unix:` upstream. */
const SOCKET_VOLUME = 'enclave-run';

function annotationsOf(profile: EnclaveProfile, launch: Launch): Record<string, string> {
  const annotations: Record<string, string> = {
    [ANNOTATIONS.ownerKey]: launch.ownerKeySha256,
    [ANNOTATIONS.upstream]: profile.upstream,
  };
  for (const key of ['mode', 'auth', 'alpn', 'keyType', 'certificateLifetime'] as const) {
    const value = profile[key];
    if (value !== undefined) annotations[ANNOTATIONS[key]] = value;
  }
  return annotations;
}

function specOf(profile: EnclaveProfile, enclave: string): PodSpec {
  const upstream = parseUpstream(profile.upstream);
  const folder = upstream?.kind === 'unix' ? upstream.folder : undefined;
  return {
    restartPolicy: 'Always',
    // A name in the cluster's DNS, for proxies that find an enclave by the name a client asks TLS for.
    hostname: enclave,
    subdomain: ENCLAVES_SERVICE,
    serviceAccountName: profile.serviceAccountName ?? 'default',
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    securityContext: {
      // The socket's folder belongs to this group, so that app and sidecar meet there under different users.
      fsGroup: SIDECAR_USER,
      runAsNonRoot: true,
      seccompProfile: { type: 'RuntimeDefault' },
    },
    containers: [
      {
        name: 'app',
        image: profile.image,
        ...(profile.command && { command: profile.command }),
        ...(profile.args && { args: profile.args }),
        ...(profile.env && { env: profile.env }),
        ...(profile.resources && { resources: profile.resources }),
        ...(folder !== undefined && { volumeMounts: [{ name: SOCKET_VOLUME, mountPath: folder }] }),
        securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
      },
    ],
    ...(folder !== undefined && { volumes: [{ name: SOCKET_VOLUME, emptyDir: { medium: 'Memory' } }] }),
  };
}

/** The pod that the launcher creates for a profile, before injection. The client computes the same from the same profile. */
export function launchedPod(profile: EnclaveProfile, launch: Launch): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: launch.enclave,
      namespace: launch.namespace,
      labels: { [ENCLAVE_LABEL]: launch.enclave, [MANAGED_BY_LABEL]: LAUNCHED },
      annotations: annotationsOf(profile, launch),
    },
    spec: specOf(profile, launch.enclave),
  };
}
