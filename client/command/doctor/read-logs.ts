import type { Kube } from '../../../platform/kube/kube.ts';
import type { Pod } from '../../../platform/kube/resources.ts';
import { attempt, type Read } from './read.ts';

const LINES = 40;
/** Of as many pods: on a large cluster the first ones tell what is wrong with the others. */
const MAX_PODS = 20;

/** The last lines of each pod of the release that is not ready. */
export async function readLogs(
  kube: Kube,
  namespace: string,
  pods: Read<readonly Pod[]>,
): Promise<ReadonlyMap<string, Read<string>>> {
  const silent = (pods.ok ? pods.value : []).filter((pod) => !isReady(pod)).slice(0, MAX_PODS);
  const logs = await Promise.all(
    silent.map(async (pod) => {
      const name = pod.metadata?.name ?? '';
      const container = pod.spec?.containers[0]?.name;
      const options = { tailLines: LINES, ...(container !== undefined && { container }) };
      return [name, await attempt(() => kube.log({ name, namespace }, options))] as const;
    }),
  );
  return new Map(logs);
}

export function isReady(pod: Pod): boolean {
  return pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true;
}
