import type { PodSpec, Volume, VolumeMount } from './pod.ts';

const PREFIX = 'kube-api-access-';
const MOUNT_PATH = '/var/run/secrets/kubernetes.io/serviceaccount';

function has(source: object, kind: string): Readonly<Record<string, unknown>> | undefined {
  const value: unknown = Object.keys(source).length === 1 ? Reflect.get(source, kind) : undefined;
  return typeof value === 'object' && value !== null ? { ...value } : undefined;
}

/**
 * The service account volume that the API server's ServiceAccount admission adds under a random name
 * (`kube-api-access-*`). Its content is compared too, because anybody may give another volume such a name.
 */
export function isKubeletTokenVolume(volume: Volume): boolean {
  const sources = volume.projected?.sources;
  if (!volume.name.startsWith(PREFIX) || Object.keys(volume).length !== 2 || sources?.length !== 3)
    return false;
  return sources.every((source, index) => {
    if (index === 0)
      return (
        has(source, 'serviceAccountToken')?.['audience'] === undefined &&
        has(source, 'serviceAccountToken') !== undefined
      );
    if (index === 1) return has(source, 'configMap')?.['name'] === 'kube-root-ca.crt';
    return has(source, 'downwardAPI') !== undefined;
  });
}

/** Its mount, which every container gets at one path, read-only and whole. */
export function isKubeletTokenMount(mount: VolumeMount, spec: PodSpec): boolean {
  return (
    mount.name.startsWith(PREFIX) &&
    mount.mountPath === MOUNT_PATH &&
    mount.readOnly === true &&
    !mount.subPath &&
    !mount.subPathExpr &&
    (spec.volumes ?? []).some((volume) => volume.name === mount.name && isKubeletTokenVolume(volume))
  );
}
