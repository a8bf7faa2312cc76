import type { PodSpec, Volume, VolumeMount } from './pod.ts';
import { sameJson } from './same-json.ts';

const PREFIX = 'kube-api-access-';
const MOUNT_PATH = '/var/run/secrets/kubernetes.io/serviceaccount';

function has(source: object | undefined, kind: string): Readonly<Record<string, unknown>> | undefined {
  const value: unknown =
    source !== undefined && Object.keys(source).length === 1 ? Reflect.get(source, kind) : undefined;
  return typeof value === 'object' && value !== null ? { ...value } : undefined;
}

/**
 * The service account volume that the API server's ServiceAccount admission adds under a random name
 * (`kube-api-access-*`). Its content is compared too, because anybody may give another volume such a name.
 */
function isKubeletTokenVolume(volume: Volume): boolean {
  const sources = volume.projected?.sources;
  if (!volume.name.startsWith(PREFIX) || Object.keys(volume).length !== 2 || sources?.length !== 3)
    return false;
  const [token, roots, namespace] = sources;
  const { expirationSeconds, ...projected } = has(token, 'serviceAccountToken') ?? {};
  return (
    (expirationSeconds === undefined || typeof expirationSeconds === 'number') &&
    sameJson(projected, { path: 'token' }) &&
    sameJson(has(roots, 'configMap'), {
      name: 'kube-root-ca.crt',
      items: [{ key: 'ca.crt', path: 'ca.crt' }],
    }) &&
    sameJson(has(namespace, 'downwardAPI'), {
      items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }],
    })
  );
}

/** The names of all such volumes of a pod. */
export function kubeletTokenVolumes(spec: PodSpec): ReadonlySet<string> {
  return new Set((spec.volumes ?? []).filter(isKubeletTokenVolume).map(({ name }) => name));
}

/** The mount of one, which every container gets at one path, read-only and whole. */
export function isKubeletTokenMount(mount: VolumeMount, volumes: ReadonlySet<string>): boolean {
  return (
    mount.mountPath === MOUNT_PATH &&
    mount.readOnly === true &&
    !mount.subPath &&
    !mount.subPathExpr &&
    volumes.has(mount.name)
  );
}
