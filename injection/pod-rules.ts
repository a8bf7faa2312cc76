import {
  HEALTH_PORT_NAME,
  SIDECAR_CONTAINER,
  SIDECAR_ENV,
  SIDECAR_PORT_NAME,
  TOKEN_VOLUME,
} from '../names/sidecar.ts';
import { AGENT_AUDIENCE, PORTS } from '../names/wire.ts';
import { type Refused, refusePod } from './code.ts';
import { breachOfContainerHostRules, breachOfHostRules, whereOf } from './host-rules.ts';
import { isPinned } from './pinned-image.ts';
import type { Container, PodSpec, Volume } from './pod.ts';
import { shown } from './shown.ts';

const ENV_PREFIX = SIDECAR_ENV.roots.slice(0, SIDECAR_ENV.roots.lastIndexOf('_') + 1);
const PORT_NAMES: readonly (string | null | undefined)[] = [SIDECAR_PORT_NAME, HEALTH_PORT_NAME];
const PORT_NUMBERS: readonly number[] = [PORTS.sidecar, PORTS.health];
const PIN =
  'Write it as name@sha256:<manifest digest>, in lower case; no tag is needed, the digest alone counts.';

function breachOfNames(container: Container): Refused | undefined {
  for (const port of container.ports ?? [])
    if (PORT_NAMES.includes(port.name) || PORT_NUMBERS.includes(port.containerPort))
      return refusePod(
        'name-reserved',
        `${whereOf(container)}: port ${port.name ? `${shown(port.name)} ` : ''}${port.containerPort} belongs to the sidecar`,
        `Use another port name than ${PORT_NAMES.join(', ')} and another number than ${PORT_NUMBERS.join(', ')}.`,
      );
  for (const variable of container.env ?? [])
    if (variable.name.startsWith(ENV_PREFIX))
      return refusePod(
        'name-reserved',
        `${whereOf(container)}: environment variable ${shown(variable.name)} belongs to the sidecar`,
        `Use names that do not begin with ${ENV_PREFIX}.`,
      );
  for (const uses of [container.volumeMounts, container.volumeDevices])
    for (const use of uses ?? [])
      if (use.name === TOKEN_VOLUME)
        return refusePod(
          'name-reserved',
          `${whereOf(container)} mounts volume ${TOKEN_VOLUME}, which holds the sidecar's token`,
          'Remove the mount.',
        );
  return undefined;
}

function breachOfContainer(container: Container): Refused | undefined {
  if (!isPinned(container.image))
    return refusePod(
      'image-unpinned',
      `${whereOf(container)}: image ${shown(container.image ?? '')} is not pinned by digest`,
      PIN,
    );
  return breachOfContainerHostRules(container) ?? breachOfNames(container);
}

/** What a statement has room for beside the sidecar's own image, and the rest of it (`formats/evidence/statement.ts`). */
const MAX_CONTAINERS = 63;
const MAX_IMAGE_TEXT = 12_288;
/** Bytes of `{"container":"","image":""},` */
const IMAGE_FRAME = 27;

function breachOfContainers(spec: PodSpec): Refused | undefined {
  // The first of that name is compared with ours; there is no second.
  const sidecar = spec.initContainers?.find(({ name }) => name === SIDECAR_CONTAINER);
  let count = 0;
  let size = 0;
  for (const containers of [spec.initContainers, spec.containers])
    for (const container of containers ?? []) {
      if (container === sidecar) continue;
      if (container.name === SIDECAR_CONTAINER)
        return refusePod(
          'name-reserved',
          `the name ${SIDECAR_CONTAINER} belongs to the sidecar`,
          'Rename the container.',
        );
      const breach = breachOfContainer(container);
      if (breach !== undefined) return breach;
      count += 1;
      size += container.name.length + (container.image ?? '').length + IMAGE_FRAME;
    }
  if (count > MAX_CONTAINERS || size > MAX_IMAGE_TEXT)
    return refusePod(
      'pod-too-large',
      `the pod has ${count} containers, their names and images together ${size} bytes: its evidence could not name them`,
      `An enclave has at most ${MAX_CONTAINERS} containers, their names and images together at most ${MAX_IMAGE_TEXT} bytes.`,
    );
  return undefined;
}

function projectsOurAudience(source: object): boolean {
  const token = 'serviceAccountToken' in source ? source.serviceAccountToken : undefined;
  return (
    typeof token === 'object' && token !== null && 'audience' in token && token.audience === AGENT_AUDIENCE
  );
}

function foreignToken(volume: Volume): Refused | undefined {
  return volume.projected?.sources?.some(projectsOurAudience)
    ? refusePod(
        'token-foreign',
        `volume ${shown(volume.name)} asks for a token of audience ${AGENT_AUDIENCE}, which only the sidecar may hold`,
        'Remove that source from the volume, or use another audience.',
      )
    : undefined;
}

/** Kinds of volumes that the kubelet makes of the node's files, or by what runs on the node as root: a FlexVolume's driver, git with its hooks (CVE-2024-10220). */
const NODE_VOLUMES = [
  ['hostPath', "is a hostPath: the node's files hold every pod's tokens, the sidecar's too"],
  ['flexVolume', 'is a flexVolume: its driver runs on the node, with what the pod wrote for it'],
  ['gitRepo', 'is a gitRepo: git runs on the node, and so does what the repository tells it to'],
] as const;

function breachOfVolume(volume: Volume): Refused | undefined {
  for (const [kind, why] of NODE_VOLUMES)
    if (volume[kind])
      return refusePod(
        'host-namespace',
        `volume ${shown(volume.name)} ${why}`,
        'Use a volume of the pod, or a claim.',
      );
  if (volume.image && !isPinned(volume.image.reference))
    return refusePod(
      'image-unpinned',
      `volume ${shown(volume.name)}: image ${shown(volume.image.reference ?? '')} is not pinned by digest`,
      PIN,
    );
  return volume.name === TOKEN_VOLUME ? undefined : foreignToken(volume);
}

/** The first that is wrong with any of them. */
function first<T>(
  items: readonly T[] | null | undefined,
  breach: (item: T) => Refused | undefined,
): Refused | undefined {
  for (const item of items ?? []) {
    const found = breach(item);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** What holds of every enclave pod apart from its sidecar (docs/injection.md). */
export function breachOfPodRules(spec: PodSpec): Refused | undefined {
  return breachOfHostRules(spec) ?? breachOfContainers(spec) ?? first(spec.volumes, breachOfVolume);
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
  for (const containers of [spec.initContainers, spec.containers])
    if (containers?.some(({ name }) => name === SIDECAR_CONTAINER))
      return reserved(`the container name ${SIDECAR_CONTAINER}`);
  if (spec.volumes?.some(({ name }) => name === TOKEN_VOLUME))
    return reserved(`the volume name ${TOKEN_VOLUME}`);
  return first(spec.volumes, foreignToken);
}
