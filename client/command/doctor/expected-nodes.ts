import type { DaemonSet, Node } from '../../../platform/kube/resources.ts';
import type { Snapshot } from './snapshot.ts';

/** A node on which an enclave may be scheduled, and whether the release wants an agent there. */
export interface ExpectedNode {
  readonly name: string;
  /** False: the DaemonSet's nodeSelector leaves it out. */
  readonly selected: boolean;
}

/** What the cluster itself puts on a node that is not well: no reason why no agent should be there. */
const CONDITION = 'node.kubernetes.io/';

/** Nodes that ordinary pods reach: not cordoned, without an operator's taint that keeps them away. */
export function expectedNodes(nodes: readonly Node[], { daemonSets }: Snapshot): ExpectedNode[] {
  const agents = daemonSets.ok
    ? daemonSets.value.find(({ metadata }) => metadata?.name === 'enclave-agent')
    : undefined;
  return nodes
    .filter(({ spec }) => spec?.unschedulable !== true)
    .filter(({ spec }) => !(spec?.taints ?? []).some(keepsAway))
    .map((node) => ({ name: node.metadata?.name ?? '', selected: selects(agents, node) }));
}

function keepsAway({ key, effect }: { readonly key: string; readonly effect: string }): boolean {
  return effect !== 'PreferNoSchedule' && !key.startsWith(CONDITION);
}

function selects(agents: DaemonSet | undefined, { metadata }: Node): boolean {
  const selector = agents?.spec?.template.spec?.nodeSelector ?? {};
  return Object.entries(selector).every(([key, value]) => metadata?.labels?.[key] === value);
}

/** `node a`, or `nodes a, b, c and 4 more`. */
export function namesOf(names: readonly string[]): string {
  const shown = [...names].sort().slice(0, 5);
  const more = names.length - shown.length;
  return `node${names.length === 1 ? '' : 's'} ${shown.join(', ')}${more === 0 ? '' : ` and ${more} more`}`;
}
