import { ROOTS_CONFIG_MAP, ROOTS_KEY } from '../../names/components.ts';
import type { Kube } from '../../platform/kube/kube.ts';
import { isKubeError } from '../../platform/kube/kube-error.ts';
import { CONFIG_MAPS } from '../../platform/kube/resources.ts';

/** The text of the roots as the cluster has them; undefined when it has none. */
export async function publishedRoots(kube: Kube, namespace: string): Promise<string | undefined> {
  return (await kube.get(CONFIG_MAPS, { name: ROOTS_CONFIG_MAP, namespace }))?.data?.[ROOTS_KEY];
}

/**
 * Writes the first roots, which every component mounts, and mends them when they are others.
 * @returns whether anything was written
 */
export async function publishRoots(kube: Kube, namespace: string, rootsJson: string): Promise<boolean> {
  const ref = { name: ROOTS_CONFIG_MAP, namespace };
  const found = await kube.get(CONFIG_MAPS, ref);
  const data = { [ROOTS_KEY]: rootsJson };
  if (found === undefined) {
    try {
      await kube.create(CONFIG_MAPS, { metadata: ref, data });
    } catch (error) {
      // Somebody was faster: the next turn looks at what they wrote.
      if (!isKubeError(error, 'AlreadyExists')) throw error;
    }
    return true;
  }
  if (found.data?.[ROOTS_KEY] === rootsJson) return false;
  await kube.patch(CONFIG_MAPS, ref, { data });
  return true;
}
