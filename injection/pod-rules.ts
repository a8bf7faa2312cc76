import type { Refusal } from '../formats/bytes/result.ts';
import {
  HEALTH_PORT_NAME,
  SIDECAR_CONTAINER,
  SIDECAR_ENV,
  SIDECAR_PORT_NAME,
  TOKEN_VOLUME,
} from '../names/sidecar.ts';
import { AGENT_AUDIENCE, PORTS } from '../names/wire.ts';
import { type InjectionCode, refusePod } from './code.ts';
import type { Container, PodSpec, Volume } from './pod.ts';

type Refused = Refusal<InjectionCode>;

/** A reference by manifest digest: `name@sha256:<64 hex digits>`, a tag between them allowed. */
export function isPinned(image: string | undefined): boolean {
  return image !== undefined && /^[^@\s]+@sha256:[0-9a-f]{64}$/.test(image);
}

const ENV_PREFIX = SIDECAR_ENV.roots.slice(0, SIDECAR_ENV.roots.lastIndexOf('_') + 1);
const PORT_NAMES: readonly (string | undefined)[] = [SIDECAR_PORT_NAME, HEALTH_PORT_NAME];
const PORT_NUMBERS: readonly number[] = [PORTS.sidecar, PORTS.health];

function hostRules(spec: PodSpec): Refused | undefined {
  if (spec.os?.name === 'windows')
    return refusePod(
      'windows',
      'the sidecar runs on Linux, this is a Windows pod',
      'Run it outside an enclave.',
    );
  for (const field of ['hostNetwork', 'hostPID', 'hostIPC'] as const)
    if (spec[field] === true)
      return refusePod(
        'host-namespace',
        `spec.${field} is true: the node's namespaces are not the pod's own`,
        `Remove spec.${field}.`,
      );
  if (spec.shareProcessNamespace === true)
    return refusePod(
      'process-namespace-shared',
      'spec.shareProcessNamespace is true: other containers could read the sidecar’s memory',
      'Remove spec.shareProcessNamespace.',
    );
  const ofNode = spec.volumes?.find((volume) => volume.hostPath !== undefined);
  if (ofNode !== undefined)
    return refusePod(
      'host-namespace',
      `volume ${ofNode.name} is a hostPath: the node's files hold every pod's tokens, the sidecar's too`,
      'Use a volume of the pod, or a claim.',
    );
  if (spec.ephemeralContainers !== undefined && spec.ephemeralContainers.length > 0)
    return refusePod(
      'ephemeral-container',
      'enclave pods take no ephemeral containers',
      'Debug a copy of the pod outside an enclave.',
    );
  return undefined;
}

function containerRules(container: Container): Refused | undefined {
  const where = `container ${container.name}`;
  if (!isPinned(container.image))
    return refusePod(
      'image-unpinned',
      `${where}: image ${JSON.stringify(container.image ?? '')} is not pinned by digest`,
      'Write the image as name@sha256:<manifest digest>.',
    );
  const { securityContext } = container;
  if (securityContext !== undefined && Reflect.get(securityContext, 'privileged') === true)
    return refusePod(
      'host-namespace',
      `${where} is privileged: it reaches the node, and the sidecar's memory with it`,
      'Remove securityContext.privileged.',
    );
  for (const port of container.ports ?? [])
    if (PORT_NAMES.includes(port.name) || PORT_NUMBERS.includes(port.containerPort))
      return refusePod(
        'name-reserved',
        `${where}: port ${port.name ?? ''} ${port.containerPort} belongs to the sidecar`,
        `Use another port name than ${PORT_NAMES.join(', ')} and another number than ${PORT_NUMBERS.join(', ')}.`,
      );
  for (const variable of container.env ?? [])
    if (variable.name.startsWith(ENV_PREFIX))
      return refusePod(
        'name-reserved',
        `${where}: environment variable ${variable.name} belongs to the sidecar`,
        `Use names that do not begin with ${ENV_PREFIX}.`,
      );
  for (const mount of container.volumeMounts ?? [])
    if (mount.name === TOKEN_VOLUME)
      return refusePod(
        'name-reserved',
        `${where} mounts volume ${TOKEN_VOLUME}, which holds the sidecar's token`,
        'Remove the mount.',
      );
  return undefined;
}

function projectsOurAudience(source: object): boolean {
  const token = 'serviceAccountToken' in source ? source.serviceAccountToken : undefined;
  return (
    typeof token === 'object' && token !== null && 'audience' in token && token.audience === AGENT_AUDIENCE
  );
}

/** What holds of every enclave pod apart from its sidecar (docs/injection.md). */
export function breachOfPodRules(spec: PodSpec): Refused | undefined {
  const host = hostRules(spec);
  if (host !== undefined) return host;
  for (const containers of [spec.initContainers, spec.containers])
    for (const container of containers ?? []) {
      if (container.name === SIDECAR_CONTAINER && containers === spec.initContainers) continue;
      if (container.name === SIDECAR_CONTAINER)
        return refusePod(
          'name-reserved',
          `the name ${SIDECAR_CONTAINER} belongs to the sidecar`,
          'Rename the container.',
        );
      const breach = containerRules(container);
      if (breach !== undefined) return breach;
    }
  return foreignToken((spec.volumes ?? []).filter(({ name }) => name !== TOKEN_VOLUME));
}

function foreignToken(volumes: readonly Volume[]): Refused | undefined {
  for (const volume of volumes)
    if (volume.projected?.sources?.some(projectsOurAudience))
      return refusePod(
        'token-foreign',
        `volume ${volume.name} asks for a token of audience ${AGENT_AUDIENCE}, which only the sidecar may hold`,
        'Remove that source from the volume, or use another audience.',
      );
  return undefined;
}

/**
 * What a pod that is no enclave must not have, in a namespace of enclaves: the sidecar's names and its token. Labels can be changed later, a pod's
 * containers and volumes cannot, so no such pod ever becomes an enclave that nobody injected.
 */
export function breachOfBarePod(spec: PodSpec): Refused | undefined {
  const reserved = (what: string) =>
    refusePod(
      'name-reserved',
      `${what} belongs to the sidecar of enclave pods`,
      'Rename it; an enclave pod gets its sidecar from the webhook.',
    );
  const { initContainers = [], containers = [], volumes = [] } = spec;
  if ([...initContainers, ...containers].some(({ name }) => name === SIDECAR_CONTAINER))
    return reserved(`the container name ${SIDECAR_CONTAINER}`);
  if (volumes.some(({ name }) => name === TOKEN_VOLUME)) return reserved(`the volume name ${TOKEN_VOLUME}`);
  return foreignToken(volumes);
}
