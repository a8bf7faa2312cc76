import { type Result, success } from '../formats/bytes/result.ts';
import { INJECTED_ANNOTATION } from '../names/labels.ts';
import { SIDECAR_CONTAINER, TOKEN_VOLUME } from '../names/sidecar.ts';
import { readAnnotations } from './annotations.ts';
import { type InjectionCode, type Refused, refusePod } from './code.ts';
import type { InjectionConfig } from './config.ts';
import { differences, hasVolume } from './differences.ts';
import { breachOfHostName, enclaveOf } from './enclave-of.ts';
import { injectedParts, sharedPatch } from './injected-parts.ts';
import { escapePointer, type PatchOperation } from './json-patch.ts';
import { isPinned } from './pinned-image.ts';
import type { Container, Pod, PodSpec, Volume } from './pod.ts';
import { breachOfPodRules } from './pod-rules.ts';
import { findSocketMount } from './socket-mount.ts';
import { TEMPLATES } from './template.ts';

export interface Injection {
  readonly ok: true;
  /** Empty for a pod that is no enclave, or has what it needs. Often the same array for the same patch: nobody may change it. */
  readonly patch: readonly PatchOperation[];
  readonly warnings: readonly string[];
}

type Patch = Result<readonly PatchOperation[], InjectionCode>;

const NOTHING: Injection = { ok: true, patch: [], warnings: [] };
const [TEMPLATE] = TEMPLATES;
/** The kubelet gives it to the copy of a static pod that it shows the API server. */
const MIRROR_ANNOTATION = 'kubernetes.io/config.mirror';

let ours = '';

/** Of the sidecar's image, which is the same for every pod. */
function isOurs(image: string): boolean {
  if (image === ours) return true;
  if (!isPinned(image)) return false;
  ours = image;
  return true;
}

function sidecarPatch(spec: PodSpec, wanted: Container): Patch {
  const present = spec.initContainers ?? [];
  if (present.length === 0) return success([{ op: 'add', path: '/spec/initContainers', value: [wanted] }]);
  const at = present.findIndex((container) => container.name === SIDECAR_CONTAINER);
  const stored = present[at];
  const first: PatchOperation = { op: 'add', path: '/spec/initContainers/0', value: wanted };
  if (stored === undefined) return success([first]);
  const differing = differences(stored, wanted, spec);
  if (differing.length > 0)
    return refusePod(
      'name-reserved',
      `init container ${SIDECAR_CONTAINER} differs from the one this release injects in ${differing.join(', ').slice(0, 200)}`,
      'Remove it; the webhook adds it.',
    );
  if (at === 0) return success([]);
  // Another webhook put its own container before ours: the app, and that container, start after attestation.
  return success([
    { op: 'remove', path: `/spec/initContainers/${at}` },
    { ...first, value: stored },
  ]);
}

function volumePatch(spec: PodSpec, wanted: Volume): Patch {
  const ours = hasVolume(spec, wanted);
  if (ours === true) return success([]);
  if (ours === false)
    return refusePod('name-reserved', `volume ${TOKEN_VOLUME} belongs to the sidecar`, 'Rename the volume.');
  return success([
    spec.volumes && spec.volumes.length > 0
      ? { op: 'add', path: '/spec/volumes/-', value: wanted }
      : { op: 'add', path: '/spec/volumes', value: [wanted] },
  ]);
}

const NOTE_PATH = `/metadata/annotations/${escapePointer(INJECTED_ANNOTATION)}`;

/** An enclave has annotations: without an upstream it was refused. */
function notePatch(annotations: Readonly<Record<string, string>>, note: string): Patch {
  return success(
    annotations[INJECTED_ANNOTATION] === note ? [] : [{ op: 'add', path: NOTE_PATH, value: note }],
  );
}

/**
 * What the mutating webhook does with a pod: a JSON Patch (RFC 6902) that adds the sidecar as the first init container,
 * its token volume and the annotation `injected`; nothing for a pod that is no enclave or is up to date; or a refusal.
 * Pure, idempotent, and leaves what it does not know where it is.
 */
export function decide(pod: Pod, namespace: string, config: InjectionConfig): Injection | Refused {
  if (config.excludedNamespaces?.includes(namespace)) return NOTHING;
  const enclave = enclaveOf(pod, namespace);
  if (!enclave.ok) return enclave;
  if (enclave.value === undefined) return NOTHING;
  if (!isOurs(config.sidecarImage) || config.roots === '')
    return refusePod(
      'configuration-invalid',
      'the webhook has no pinned sidecar image or no roots, so it can inject nothing',
      'See the webhook’s log; the roots come from the certificate service.',
    );
  const spec = pod.spec ?? {};
  const annotations = pod.metadata?.annotations ?? {};
  if (annotations[MIRROR_ANNOTATION] !== undefined)
    return refusePod(
      'static-pod',
      'this is the mirror of a static pod, which the kubelet has started without a sidecar',
      'Create the enclave through the API server.',
    );
  const breach = breachOfHostName(enclave.value.id, config.enclaveDomain) ?? breachOfPodRules(spec);
  if (breach !== undefined) return breach;
  const wishes = readAnnotations(annotations);
  if (!wishes.ok) return wishes;
  const { settings, resources, warnings } = wishes.value;
  const socket = findSocketMount(spec, settings.upstream);
  if (!socket.ok) return socket;
  const { enclaveDomain, roots, sidecarImage: image, crypto } = config;
  const wish = {
    image,
    settings: { ...settings, enclave: enclave.value.id, enclaveDomain, roots },
    resources,
    socket: socket.value,
  };
  const parts = injectedParts(crypto, TEMPLATE, wish);
  const patch: PatchOperation[] = [];
  for (const part of [
    sidecarPatch(spec, parts.container),
    volumePatch(spec, TEMPLATE.volume),
    notePatch(annotations, parts.note),
  ]) {
    if (!part.ok) return part;
    patch.push(...part.value);
  }
  return { ok: true, patch: sharedPatch(parts, patch), warnings };
}
