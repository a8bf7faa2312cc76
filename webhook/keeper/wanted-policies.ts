import { ENCLAVE_LABEL, INJECT_LABEL, MANAGED_LABEL } from '../../names/labels.ts';
import { PORTS } from '../../names/wire.ts';
import type { NetworkPolicy } from '../../platform/kube/resources.ts';

/** Value of the label on what the keeper made. */
export const MANAGER = 'enclave-webhook';

/** A selector cannot say "this label or that one", so each namespace has two policies. */
const SELECTED: Readonly<Record<string, string>> = {
  'enclave-licensing-launched': ENCLAVE_LABEL,
  'enclave-licensing-self-deployed': INJECT_LABEL,
};
export const POLICY_NAMES: readonly string[] = Object.keys(SELECTED);

/** What an enclave pod's ports are to others: the sidecar's, and its health and metrics. */
export const OPEN_PORTS: readonly number[] = [PORTS.sidecar, PORTS.health];

/** The policy of this name: enclave pods are closed to all but the sidecar's ports (TCP). Undefined for a name that is not ours. */
export function wantedPolicy(namespace: string, name: string): NetworkPolicy | undefined {
  const label = Object.hasOwn(SELECTED, name) ? SELECTED[name] : undefined;
  if (label === undefined) return undefined;
  return {
    metadata: { name, namespace, labels: { [MANAGED_LABEL]: MANAGER } },
    // With every default that an API server would fill in: comparison is equality.
    spec: {
      podSelector: { matchExpressions: [{ key: label, operator: 'Exists' }] },
      policyTypes: ['Ingress'],
      ingress: [{ ports: OPEN_PORTS.map((port) => ({ protocol: 'TCP', port })) }],
    },
  };
}
