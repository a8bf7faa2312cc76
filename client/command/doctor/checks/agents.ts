import type { Pod } from '../../../../platform/kube/resources.ts';
import { flagOf, podsOf, whyNotReady } from '../component-pods.ts';
import { expectedNodes, namesOf } from '../expected-nodes.ts';
import type { Notes } from '../notes.ts';
import { isReady } from '../read-logs.ts';
import type { Snapshot } from '../snapshot.ts';

/** What agent, kubelet and certificate service say where there is no TPM. */
const NO_TPM = /no TPM at|hostPath type check failed|the TPM is of no use/;

/** A ready agent on each node that enclaves may reach; without one they never start there. */
export function checkAgents(snapshot: Snapshot, notes: Notes): void {
  const nodes = notes.value('nodes', snapshot.nodes);
  const pods = notes.value(`pods in ${snapshot.namespace}`, snapshot.pods);
  notes.optional('daemonsets', snapshot.daemonSets);
  if (nodes === undefined || pods === undefined) return;
  const agents = new Map(podsOf(snapshot, 'agent').map((pod) => [pod.spec?.nodeName ?? '', pod]));
  const expected = expectedNodes(nodes, snapshot);
  judgeMissing(
    expected.filter(({ name }) => !agents.has(name)),
    snapshot,
    notes,
  );
  const ready = [...agents.values()].filter(isReady);
  const withoutTpm: string[] = [];
  for (const [node, pod] of agents)
    if (!isReady(pod) && judgeUnready(node, pod, snapshot, notes)) withoutTpm.push(node);
  if (ready.length === 0 && withoutTpm.length > 0)
    notes.problem('no-tpm-anywhere', {
      about: 'the cluster',
      what: 'no node has a TPM that works',
      why: 'Nothing can be attested here: no enclave ever starts.',
      remedy:
        'turn the TPM 2.0 on in the firmware, or choose machines with a (virtual) one; where it is elsewhere, say so with tpm.device or tpm.socketDirectory (docs/install.md)',
    });
  // The relay beside the agent has the device.
  const where = new Set([...agents.values()].map((pod) => flagOf(pod, 'device') ?? flagOf(pod, 'tpm')));
  notes.saw(
    `${ready.length} of ${expected.length} nodes have a ready agent, TPM at ${[...where].join(', ')}`,
  );
}

function judgeMissing(
  missing: readonly { readonly name: string; readonly selected: boolean }[],
  { namespace }: Snapshot,
  notes: Notes,
): void {
  const named = (selected: boolean): string[] =>
    missing.filter((each) => each.selected === selected).map(({ name }) => name);
  const why = 'An enclave that is scheduled there never starts: its sidecar finds nobody to attest it.';
  if (named(true).length > 0)
    notes.problem('agent-missing', {
      about: namesOf(named(true)),
      what: 'no agent runs there',
      why,
      remedy: `kubectl describe daemonset enclave-agent -n ${namespace}; where Pod Security refuses it: kubectl label ns ${namespace} pod-security.kubernetes.io/enforce=privileged`,
    });
  if (named(false).length > 0)
    notes.warning('agent-missing', {
      about: namesOf(named(false)),
      what: 'agent.nodeSelector leaves it out, and pods may be scheduled there',
      why,
      remedy: 'give profiles and workloads the same nodeSelector, or taint these nodes',
    });
}

/** @returns whether it is the TPM */
function judgeUnready(node: string, pod: Pod, snapshot: Snapshot, notes: Notes): boolean {
  const { namespace } = snapshot;
  const name = pod.metadata?.name ?? '';
  const reason = whyNotReady(pod, snapshot);
  const isTpm = NO_TPM.test(reason);
  const log = snapshot.logs.get(name);
  if (log !== undefined) notes.optional(`log of ${name}`, log);
  if (isTpm)
    notes.problem('tpm-missing', {
      about: `node ${node}`,
      what: reason,
      why: 'Pods on this node cannot be attested: launches there fail, running enclaves get no fresh evidence.',
      remedy: `on the node: ls -l /dev/tpmrm0; the value tpm.device (or tpm.socketDirectory) must name it; kubectl logs -n ${namespace} ${name}`,
    });
  else
    notes.problem('agent-not-ready', {
      about: `node ${node}`,
      what:
        reason === '' ? 'its agent is not ready, and does not say why' : `its agent is not ready: ${reason}`,
      why: 'Enclaves on this node neither start nor get fresh evidence.',
      remedy: `kubectl logs -n ${namespace} ${name}; docs/agent.md says what its messages mean`,
    });
  return isTpm;
}
