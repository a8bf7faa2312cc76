/** Waits for every Deployment and DaemonSet of a namespace. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Environment } from '../../cluster/environment.ts';

type Kubectl = Environment['kubectl'];

const READY_MS = 120_000;

interface Workload {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly generation: number };
  readonly spec: { readonly replicas?: number };
  readonly status: {
    readonly observedGeneration?: number;
    readonly updatedReplicas?: number;
    readonly readyReplicas?: number;
    readonly replicas?: number;
    readonly desiredNumberScheduled?: number;
    readonly updatedNumberScheduled?: number;
    readonly numberReady?: number;
  };
}

/** Rolled out to the last replica, of the generation that was asked for. */
function isReady({ kind, metadata, spec, status }: Workload): boolean {
  if ((status.observedGeneration ?? 0) < metadata.generation) return false;
  if (kind === 'DaemonSet') {
    const wanted = status.desiredNumberScheduled ?? 0;
    return wanted > 0 && status.updatedNumberScheduled === wanted && status.numberReady === wanted;
  }
  const wanted = spec.replicas ?? 1;
  return status.updatedReplicas === wanted && status.readyReplicas === wanted && status.replicas === wanted;
}

/** Every one rolled out to its last replica, each told once. @throws Error with what those said that are not */
export async function untilRolledOut(
  kubectl: Kubectl,
  namespace: string,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const deadline = performance.now() + READY_MS;
  const seen = new Set<string>();
  for (;;) {
    signal.throwIfAborted();
    const list = JSON.parse(
      await kubectl(['get', 'deployments,daemonsets', '-n', namespace, '-o', 'json']),
    ) as { items: Workload[] };
    for (const { metadata } of list.items.filter(isReady))
      if (!seen.has(metadata.name)) {
        seen.add(metadata.name);
        say(`ready: ${metadata.name}`);
      }
    const waiting = list.items.filter((each) => !isReady(each));
    if (waiting.length === 0 && list.items.length > 0) return;
    if (performance.now() > deadline) throw new Error(await whatIsWrong(kubectl, namespace, waiting));
    await sleep(250);
  }
}

/**
 * Until the pods are gone in whose place others are Ready. A webhook that drains still answers on the API server's open connections: what it injects is of
 * the release before, which this one's launcher need not know.
 */
export async function untilReplaced(kubectl: Kubectl, namespace: string, signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + READY_MS;
  for (;;) {
    signal.throwIfAborted();
    const { items } = JSON.parse(await kubectl(['get', 'pods', '-n', namespace, '-o', 'json'])) as {
      items: { metadata: { name: string; deletionTimestamp?: string } }[];
    };
    const old = items.filter(({ metadata }) => metadata.deletionTimestamp !== undefined);
    if (old.length === 0) return;
    if (performance.now() > deadline)
      throw new Error(
        `not gone after ${READY_MS / 1000} s: ${old.map(({ metadata }) => metadata.name).join(', ')}`,
      );
    await sleep(500);
  }
}

async function whatIsWrong(
  kubectl: Kubectl,
  namespace: string,
  waiting: readonly Workload[],
): Promise<string> {
  const there = ['-n', namespace];
  const parts = await Promise.all([
    kubectl(['get', 'pods', ...there, '-o', 'wide']),
    kubectl(['get', 'events', ...there, '--field-selector=type=Warning']),
    ...waiting.map(({ kind, metadata }) =>
      kubectl(['logs', `${kind}/${metadata.name}`, ...there, '--tail=6']).catch(
        (error: Error) => error.message,
      ),
    ),
  ]);
  const names = waiting.map(({ metadata }) => metadata.name).join(', ');
  return `not Ready after ${READY_MS / 1000} s: ${names}\n${parts.map((part) => part.slice(-3000)).join('\n')}`;
}
