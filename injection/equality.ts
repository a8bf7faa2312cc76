import { TOKEN_VOLUME } from '../names/sidecar.ts';
import { ANNOTATION_SCHEMAS } from './annotations.ts';
import { isKubeletTokenMount } from './kubelet-token.ts';
import type { Container, PodSpec } from './pod.ts';
import { TOKEN_VOLUME_TEMPLATE } from './template.ts';

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

/** Structural equality of JSON values; an absent member and an undefined one are the same. */
function sameJson(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (!isObject(a) || !isObject(b) || Array.isArray(a) !== Array.isArray(b)) return false;
  for (const key of new Set([...Object.keys(a), ...Object.keys(b)]))
    if (!sameJson(a[key], b[key])) return false;
  return true;
}

/** Requests and limits as injected, or as a LimitRange completed them. */
function resourcesAreGood(container: Container): boolean {
  const { requests, limits } = container.resources ?? {};
  const known = ['cpu', 'memory', 'ephemeral-storage'];
  return (
    [requests, limits].every((list) => Object.keys(list ?? {}).every((name) => known.includes(name))) &&
    ANNOTATION_SCHEMAS.sidecarCpu.accepts(requests?.['cpu'] ?? '') &&
    ANNOTATION_SCHEMAS.sidecarMemory.accepts(requests?.['memory'] ?? '') &&
    ANNOTATION_SCHEMAS.sidecarMemory.accepts(limits?.['memory'] ?? '')
  );
}

/** The names of the fields in which a stored sidecar differs from what would be injected; empty when it is the same. */
export function differences(stored: Container, wanted: Container, spec: PodSpec): string[] {
  const mounts = (stored.volumeMounts ?? []).filter((mount) => !isKubeletTokenMount(mount, spec));
  const actual: Readonly<Record<string, unknown>> = { ...stored, volumeMounts: mounts };
  const expected: Readonly<Record<string, unknown>> = { ...wanted };
  return [...new Set([...Object.keys(actual), ...Object.keys(expected)])].filter((field) =>
    field === 'resources' ? !resourcesAreGood(stored) : !sameJson(actual[field], expected[field]),
  );
}

/** The token volume as injected; undefined when the pod has none. */
export function tokenVolumeIsOurs(spec: PodSpec): boolean | undefined {
  const volume = spec.volumes?.find((each) => each.name === TOKEN_VOLUME);
  return volume === undefined ? undefined : sameJson(volume, TOKEN_VOLUME_TEMPLATE);
}
