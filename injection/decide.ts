import type { Refusal } from '../formats/bytes/result.ts';
import { INJECTED_ANNOTATION } from '../names/labels.ts';
import { SIDECAR_CONTAINER, TOKEN_VOLUME } from '../names/sidecar.ts';
import { readAnnotations } from './annotations.ts';
import { type InjectionCode, refusePod } from './code.ts';
import type { InjectionConfig } from './config.ts';
import { enclaveOf } from './enclave-of.ts';
import { differences, tokenVolumeIsOurs } from './equality.ts';
import { escapePointer, type PatchOperation } from './json-patch.ts';
import type { Container, Pod, PodSpec } from './pod.ts';
import { breachOfPodRules, isPinned } from './pod-rules.ts';
import { findSocketMount } from './socket-mount.ts';
import { sidecarContainer, TOKEN_VOLUME_TEMPLATE } from './template.ts';

export interface Injection {
  readonly ok: true;
  /** Empty for a pod that is no enclave, or has what it needs. */
  readonly patch: readonly PatchOperation[];
  readonly warnings: readonly string[];
}

const NOTHING: Injection = { ok: true, patch: [], warnings: [] };

function sidecarPatch(spec: PodSpec, wanted: Container): PatchOperation[] | Refusal<InjectionCode> {
  const present = spec.initContainers ?? [];
  if (present.length === 0) return [{ op: 'add', path: '/spec/initContainers', value: [wanted] }];
  const at = present.findIndex((container) => container.name === SIDECAR_CONTAINER);
  const stored = present[at];
  const first: PatchOperation = { op: 'add', path: '/spec/initContainers/0', value: wanted };
  if (stored === undefined) return [first];
  const differing = differences(stored, wanted, spec);
  if (differing.length > 0)
    return refusePod(
      'name-reserved',
      `init container ${SIDECAR_CONTAINER} differs from the one this release injects in ${differing.join(', ')}`,
      'Remove it; the webhook adds it.',
    );
  if (at === 0) return [];
  // Another webhook put its own container before ours: the app, and that container, start after attestation.
  return [
    { op: 'remove', path: `/spec/initContainers/${at}` },
    { ...first, value: stored },
  ];
}

function volumePatch(spec: PodSpec): PatchOperation[] | Refusal<InjectionCode> {
  const ours = tokenVolumeIsOurs(spec);
  if (ours === true) return [];
  if (ours === false)
    return refusePod('name-reserved', `volume ${TOKEN_VOLUME} belongs to the sidecar`, 'Rename the volume.');
  return spec.volumes === undefined || spec.volumes.length === 0
    ? [{ op: 'add', path: '/spec/volumes', value: [TOKEN_VOLUME_TEMPLATE] }]
    : [{ op: 'add', path: '/spec/volumes/-', value: TOKEN_VOLUME_TEMPLATE }];
}

/**
 * What the mutating webhook does with a pod: a JSON Patch (RFC 6902) that adds the sidecar as the first init container,
 * its token volume and the annotation `injected`; nothing for a pod that is no enclave or is up to date; or a refusal.
 * Pure, idempotent, and leaves what it does not know where it is.
 */
export function decide(
  pod: Pod,
  namespace: string,
  config: InjectionConfig,
): Injection | Refusal<InjectionCode> {
  if (config.excludedNamespaces?.includes(namespace)) return NOTHING;
  const enclave = enclaveOf(pod, namespace);
  if (!enclave.ok) return enclave;
  if (enclave.value === undefined) return NOTHING;
  if (!isPinned(config.sidecarImage) || config.roots === '')
    return refusePod(
      'configuration-invalid',
      'the webhook has no pinned sidecar image or no roots, so it can inject nothing',
      'See the webhook’s log; the roots come from the certificate service.',
    );
  const spec = pod.spec ?? {};
  const breach = breachOfPodRules(spec);
  if (breach !== undefined) return breach;
  const annotations = pod.metadata?.annotations;
  const wishes = readAnnotations(annotations ?? {});
  if (!wishes.ok) return wishes;
  const socket = findSocketMount(spec, wishes.value.settings.upstream);
  if (!socket.ok) return socket;
  const settings = {
    ...wishes.value.settings,
    enclave: enclave.value.id,
    enclaveDomain: config.enclaveDomain,
    roots: config.roots,
  };
  const wanted = sidecarContainer(config.sidecarImage, settings, wishes.value.resources, socket.value);
  const container = sidecarPatch(spec, wanted);
  if ('ok' in container) return container;
  const volume = volumePatch(spec);
  if ('ok' in volume) return volume;
  const patch = [...container, ...volume];
  const note = `1 ${config.sidecarImage.slice(config.sidecarImage.indexOf('@') + 1)}`;
  if (annotations === undefined)
    patch.push({ op: 'add', path: '/metadata/annotations', value: { [INJECTED_ANNOTATION]: note } });
  else if (annotations[INJECTED_ANNOTATION] !== note)
    patch.push({
      op: 'add',
      path: `/metadata/annotations/${escapePointer(INJECTED_ANNOTATION)}`,
      value: note,
    });
  return { ok: true, patch, warnings: wishes.value.warnings };
}
