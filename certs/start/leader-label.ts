import { randomUUID } from 'node:crypto';
import { LEADER_LABEL } from '../../names/certs-state.ts';
import { binaryName } from '../../names/components.ts';
import type { Kube } from '../../platform/kube/kube.ts';
import { isKubeError } from '../../platform/kube/kube-error.ts';
import { PODS } from '../../platform/kube/resources.ts';

const SELECTOR = `app.kubernetes.io/name=${binaryName('certs')}`;
const LEADS = 'true';

/**
 * Who this process is to an election: its pod. A container that is started again goes on with the lease of the one that was killed, which no longer runs; nobody
 * waits until it is over. In no pod, or while the API server is away: nobody, so a new name.
 * @param address of the pod
 */
export async function candidateName(kube: Kube, namespace: string, address: string): Promise<string> {
  const pods = kube.list(PODS, { namespace, labelSelector: SELECTOR }).catch(() => undefined);
  const own = (await pods)?.items.find(({ status }) => status?.podIP === address);
  return `${address}_${own?.metadata?.uid ?? randomUUID()}`;
}

/**
 * Has the Service lead to this process: its selector wants a label that the pod with this address gets, and that all other pods of the certificate service lose. So
 * callers never reach who stands by, and a leader that was killed leaves no label behind that counts.
 * @returns names of the pods that were changed
 */
export async function labelLeader(kube: Kube, namespace: string, address: string): Promise<string[]> {
  const { items } = await kube.list(PODS, { namespace, labelSelector: SELECTOR });
  const changed: string[] = [];
  for (const { metadata, status } of items) {
    const { name, uid, labels } = metadata ?? {};
    const wanted = status?.podIP === address ? LEADS : undefined;
    if (name === undefined || labels?.[LEADER_LABEL] === wanted) continue;
    const patch = { metadata: { uid, labels: { [LEADER_LABEL]: wanted ?? null } } };
    try {
      await kube.patch(PODS, { namespace, name }, patch);
      changed.push(name);
    } catch (error) {
      // It is gone, or another of its name is there: the next turn looks again.
      if (!isKubeError(error, 'NotFound', 'Conflict')) throw error;
    }
  }
  return changed;
}
