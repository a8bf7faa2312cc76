import { type Result, success } from '../formats/bytes/result.ts';
import { ANNOTATIONS } from '../names/labels.ts';
import { type InjectionCode, refusePod } from './code.ts';
import type { PodSpec } from './pod.ts';
import type { SocketMount } from './template.ts';
import { parseUpstream } from './upstream.ts';

/** Whether a mount's path is this folder, slashes at its end aside. Looks at the path once: nobody has bounded its length yet. */
function isFolder(path: string, folder: string): boolean {
  if (!path.startsWith(folder)) return false;
  for (let at = folder.length; at < path.length; at += 1) if (path[at] !== '/') return false;
  return true;
}

/** The app's own emptyDir at the folder of a `unix:` upstream; undefined for a TCP upstream. */
export function findSocketMount(
  spec: PodSpec,
  upstream: string,
): Result<SocketMount | undefined, InjectionCode> {
  const parsed = parseUpstream(upstream);
  if (parsed?.kind !== 'unix') return success(undefined);
  const own = new Set((spec.volumes ?? []).filter(({ emptyDir }) => emptyDir).map(({ name }) => name));
  for (const container of spec.containers ?? [])
    for (const mount of container.volumeMounts ?? []) {
      if (!isFolder(mount.mountPath, parsed.folder)) continue;
      if (mount.subPath || mount.subPathExpr || mount.readOnly === true) continue;
      if (own.has(mount.name)) return success({ volume: mount.name, folder: parsed.folder });
    }
  return refusePod(
    'volume-missing',
    `annotation ${ANNOTATIONS.upstream} is ${JSON.stringify(upstream)}, but no container mounts an emptyDir volume at ${parsed.folder}`,
    `Add an emptyDir volume and mount it, writable and without subPath, at ${parsed.folder} in the app's container.`,
  );
}
