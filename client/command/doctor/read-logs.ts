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
      // What runs beside a component (the agent's relay to the TPM) may be what it waits for.
      const containers = [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])];
      const log = (container: string): Promise<string> =>
        kube.log({ name, namespace }, { container, tailLines: LINES });
      const read = await Promise.all(containers.map((each) => attempt(() => log(each.name))));
      return [name, joined(read)] as const;
    }),
  );
  return new Map(logs);
}

/** One of several is enough: a container that never started has no log. */
function joined(read: readonly Read<string>[]): Read<string> {
  const texts = read.flatMap((each) => (each.ok ? [each.value] : []));
  const [first] = read;
  if (texts.length === 0 && first !== undefined) return first;
  return { ok: true, value: texts.map((text) => text.trimEnd()).join('\n') };
}

export function isReady(pod: Pod): boolean {
  return pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true;
}
