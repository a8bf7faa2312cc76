import { enclaveOf } from '../../injection/enclave-of.ts';
import type { Kube, WatchHandle } from '../../platform/kube/kube.ts';
import { PODS, type Pod } from '../../platform/kube/resources.ts';
import type { Logger } from '../../platform/log/logger.ts';
import { explain } from '../../platform/run/explain.ts';
import { judgePod, type PodRules } from '../caller/judge-pod.ts';

export interface NodePodsOptions {
  readonly kube: Kube;
  readonly log: Logger;
  readonly signal: AbortSignal;
  readonly rules: PodRules;
  /** An enclave's pod is gone, ends, or is no longer what a statement said of it. */
  onEnd(podUid: string, reason: string): void;
}

/** A local copy of the pods of this node, with what happens to those that are enclaves. */
export function watchNodePods(options: NodePodsOptions): WatchHandle<Pod> {
  const { kube, rules, log, signal, onEnd } = options;
  const isEnclave = (pod: Pod): boolean => {
    const enclave = enclaveOf(pod, pod.metadata?.namespace ?? '');
    return !enclave.ok || enclave.value !== undefined;
  };
  return kube.watch(PODS, {
    fieldSelector: `spec.nodeName=${rules.node}`,
    signal,
    onUpdate: (pod, old) => {
      const reason = isEnclave(old) ? reasonToEnd(old, pod, rules) : undefined;
      if (reason !== undefined) onEnd(pod.metadata?.uid ?? '', reason);
    },
    onDelete: (pod) => {
      if (isEnclave(pod)) onEnd(pod.metadata?.uid ?? '', 'the pod is gone');
    },
    onTrouble: (error) =>
      log.warn({ error }, `the watch of the node's pods is interrupted: ${explain(error)}`),
  });
}

/** Why what was quoted of a pod is no longer true; undefined when it is, or when it never could be quoted. Pure. */
export function reasonToEnd(old: Pod, pod: Pod, rules: PodRules): string | undefined {
  const before = judgePod(old, rules);
  if (!before.ok) return undefined;
  const after = judgePod(pod, rules);
  if (!after.ok) return after.message;
  const said = JSON.stringify(before.value.claims);
  return said === JSON.stringify(after.value.claims)
    ? undefined
    : 'what the statement says of the pod changed';
}
