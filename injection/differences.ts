import { ANNOTATION_SCHEMAS } from './annotations.ts';
import { isKubeletTokenMount, kubeletTokenVolumes } from './kubelet-token.ts';
import type { Container, PodSpec, Volume } from './pod.ts';
import { sameJson } from './same-json.ts';

/** Requests and limits as injected, or as a LimitRange completed them; nothing else, no claims to devices. */
function resourcesAreGood(container: Container): boolean {
  const { requests, limits, ...others } = container.resources ?? {};
  const known = ['cpu', 'memory', 'ephemeral-storage'];
  return (
    Object.keys(others).length === 0 &&
    [requests, limits].every((list) => Object.keys(list ?? {}).every((name) => known.includes(name))) &&
    ANNOTATION_SCHEMAS.sidecarCpu.accepts(requests?.['cpu'] ?? '') &&
    ANNOTATION_SCHEMAS.sidecarMemory.accepts(requests?.['memory'] ?? '') &&
    ANNOTATION_SCHEMAS.sidecarMemory.accepts(limits?.['memory'] ?? '')
  );
}

/** Without what an API server's own admission may have written into it. */
function asInjected(stored: Container, spec: PodSpec): Readonly<Record<string, unknown>> {
  const tokens = kubeletTokenVolumes(spec);
  // The default of Kubernetes before 1.31.
  const { procMount, ...securityContext } = stored.securityContext ?? {};
  return {
    ...stored,
    volumeMounts: (stored.volumeMounts ?? []).filter((mount) => !isKubeletTokenMount(mount, tokens)),
    // AlwaysPullImages; the image is pinned, so it is the same one.
    ...(stored.imagePullPolicy === 'Always' && { imagePullPolicy: 'IfNotPresent' }),
    ...(procMount === 'Default' && { securityContext }),
  };
}

/** The names of the fields in which a stored sidecar differs from what would be injected; empty when it is the same. */
export function differences(stored: Container, wanted: Container, spec: PodSpec): string[] {
  const actual = asInjected(stored, spec);
  const expected: Readonly<Record<string, unknown>> = { ...wanted };
  return [...new Set([...Object.keys(actual), ...Object.keys(expected)])].filter((field) =>
    field === 'resources' ? !resourcesAreGood(stored) : !sameJson(actual[field], expected[field]),
  );
}

/** The volume of that name as injected; undefined when the pod has none. */
export function hasVolume(spec: PodSpec, wanted: Volume): boolean | undefined {
  const volume = spec.volumes?.find(({ name }) => name === wanted.name);
  return volume === undefined ? undefined : sameJson(volume, wanted);
}
