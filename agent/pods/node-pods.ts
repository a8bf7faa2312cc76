import { enclaveOf } from '../../injection/enclave-of.ts';
import type { Kube, WatchHandle } from '../../platform/kube/kube.ts';
import { PODS, type Pod } from '../../platform/kube/resources.ts';
import type { Logger } from '../../platform/log/logger.ts';
import { explain } from '../../platform/run/explain.ts';
import type { Caller } from '../caller/caller.ts';
import { judgePod, type PodRules } from '../caller/judge-pod.ts';
import type { AgentMetrics } from '../metrics.ts';
import type { End } from '../serve/connections.ts';
import { keptPod } from './kept-pod.ts';

export interface NodePodsOptions {
  readonly kube: Kube;
  readonly log: Logger;
  readonly signal: AbortSignal;
  readonly rules: PodRules;
  readonly metrics: Pick<AgentMetrics, 'podWatchFailures'>;
  /** What the pods that are connected were believed to be; the others are judged by what was seen before. */
  readonly connections: {
    caller(podUid: string): Caller | undefined;
  };
  /** An enclave's pod is being deleted, has ended, is gone, or is no longer what a statement said of it. */
  onEnd(pod: Pod, how: End, reason: string): void;
  /** The copy was made anew: these are the pods that there are. */
  onListed(podUids: ReadonlySet<string>): void;
}

/** A pod that goes while the API server is away, or just after, is not connected for longer than this once it is back. */
const MAX_PAUSE_MS = 1_000;

const uidOf = (pod: Pod): string => pod.metadata?.uid ?? '';

/**
 * A local copy of the pods of this node, with what happens to those that are enclaves. A caller may have been judged by a newer
 * view than this copy (its pod was asked for): what it was believed to be is compared with everything that the watch brings.
 */
export function watchNodePods(options: NodePodsOptions): WatchHandle<Pod> {
  const { kube, rules, log, metrics, signal, connections, onEnd } = options;
  const look = (pod: Pod, old?: Pod): void => {
    const before = old === undefined ? undefined : judgePod(old, rules);
    const over = [connections.caller(uidOf(pod)), before?.ok ? before.value : undefined].flatMap(
      (caller) => (caller && reasonToEnd(caller, pod, rules)) ?? [],
    );
    // One of the two may be newer, and know the pod as it was changed.
    const worst = over.find(({ how }) => how !== 'terminating') ?? over[0];
    if (worst !== undefined) onEnd(pod, worst.how, worst.reason);
  };
  return kube.watch(PODS, {
    fieldSelector: `spec.nodeName=${rules.node}`,
    signal,
    maxPauseMs: MAX_PAUSE_MS,
    project: keptPod,
    onAdd: (pod) => look(pod),
    onUpdate: look,
    onDelete: (pod) => {
      if (isEnclave(pod) || connections.caller(uidOf(pod)) !== undefined)
        onEnd(pod, 'gone', 'the pod is gone');
    },
    // One that came and went while the API server was away was never in the copy.
    onListed: (pods) => options.onListed(new Set(pods.map(uidOf))),
    onTrouble: (error) => {
      metrics.podWatchFailures.inc();
      log.warn({ error }, `the watch of the node's pods is interrupted: ${explain(error)}`);
    },
  });
}

function isEnclave(pod: Pod): boolean {
  const enclave = enclaveOf(pod, pod.metadata?.namespace ?? '');
  return !enclave.ok || enclave.value !== undefined;
}

/** Why a pod is no longer what it was believed to be; undefined when it is. Pure. */
export function reasonToEnd(
  said: Pick<Caller, 'claims' | 'terminating'>,
  pod: Pod,
  rules: PodRules,
): { readonly how: End; readonly reason: string } | undefined {
  const now = judgePod(pod, rules);
  if (!now.ok) return { how: now.code === 'caller-pod-ended' ? 'ended' : 'changed', reason: now.message };
  const { claims, terminating } = now.value;
  if (JSON.stringify(said.claims) !== JSON.stringify(claims))
    return { how: 'changed', reason: 'what the statement says of the pod changed' };
  return terminating && !said.terminating
    ? { how: 'terminating', reason: 'the pod is being deleted' }
    : undefined;
}
