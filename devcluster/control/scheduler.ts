import type { Kube } from '../../platform/kube/kube.ts';
import { isKubeError } from '../../platform/kube/kube-error.ts';
import { NODES, type Node } from '../../platform/kube/resources.ts';
import { EventRecorder } from '../node/event-recorder.ts';
import { NODE_PODS } from '../node/node-pods.ts';
import { isFinished, type Pod } from '../node/pod.ts';

const RETRY_MS = 500;

/**
 * The node for a pod: ready, not cordoned, with every label its nodeSelector asks for, and the fewest pods. Undefined when there is
 * none. That is all the scheduling the development cluster has.
 */
export function chooseNode(pod: Pod, nodes: readonly Node[], pods: readonly Pod[]): string | undefined {
  const load = (name: string): number =>
    pods.filter((each) => each.spec.nodeName === name && !isFinished(each)).length;
  const [best] = nodes
    .filter(
      (node) =>
        node.spec?.unschedulable !== true &&
        node.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') &&
        Object.entries(pod.spec.nodeSelector ?? {}).every(
          ([key, value]) => node.metadata?.labels?.[key] === value,
        ),
    )
    .map((node) => node.metadata?.name ?? '')
    .sort((a, b) => load(a) - load(b) || (a < b ? -1 : 1));
  return best;
}

/** Binds pods without a node to one, until the signal aborts. */
export function runScheduler(kube: Kube, signal: AbortSignal, onTrouble: (error: unknown) => void): void {
  const bound = new Map<string, string>();
  const events = new EventRecorder(kube, { component: 'default-scheduler' });
  const nodes = kube.watch(NODES, {
    signal,
    onTrouble,
    onAdd: () => scheduleAll(),
    onUpdate: () => scheduleAll(),
  });
  const pods = kube.watch(NODE_PODS, {
    signal,
    onTrouble,
    onAdd: (pod) => void schedule(pod),
    onUpdate: (pod) => void schedule(pod),
    onDelete: ({ metadata: { uid = '' } }) => {
      bound.delete(uid);
      events.forget(uid);
    },
  });

  const schedule = async (pod: Pod): Promise<void> => {
    const { uid = '', name = '', namespace = '' } = pod.metadata;
    if (pod.spec.nodeName || pod.metadata.deletionTimestamp || isFinished(pod) || bound.has(uid)) return;
    // What was bound a moment ago may not be in the watch's store yet.
    const known = pods.list().map((each) => {
      const node = bound.get(each.metadata.uid ?? '');
      return node === undefined ? each : { ...each, spec: { ...each.spec, nodeName: node } };
    });
    const node = chooseNode(pod, nodes.list(), known);
    if (node === undefined) {
      events.record(pod, 'Warning', 'FailedScheduling', 'no ready node has the labels of its nodeSelector');
      return;
    }
    bound.set(uid, node);
    try {
      await kube.createSubresource(NODE_PODS, { name, namespace }, 'binding', {
        apiVersion: 'v1',
        kind: 'Binding',
        metadata: { name, namespace, uid },
        target: { apiVersion: 'v1', kind: 'Node', name: node },
      });
      events.record(pod, 'Normal', 'Scheduled', `Successfully assigned ${namespace}/${name} to ${node}`);
    } catch (error) {
      bound.delete(uid);
      if (isKubeError(error, 'NotFound', 'Conflict') || signal.aborted) return;
      onTrouble(error);
      setTimeout(scheduleAll, RETRY_MS).unref();
    }
  };
  const scheduleAll = (): void => {
    if (!signal.aborted) for (const pod of pods.list()) void schedule(pod);
  };
}
