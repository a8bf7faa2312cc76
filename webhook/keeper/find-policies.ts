import { isOurs } from './decide-policies.ts';
import type { EnclavePod } from './enclave-pod.ts';
import type { Finding } from './finding.ts';
import { selects } from './label-selector.ts';
import type { PolicyRecord } from './policy-record.ts';
import { POLICY_NAMES } from './wanted-policies.ts';

export interface PoliciesSeen {
  readonly policies: readonly PolicyRecord[];
  readonly known: ReadonlySet<string>;
  readonly pods: readonly EnclavePod[];
  readonly labelled: ReadonlySet<string>;
}

/** Other people's network policies that stand where ours should, or open what ours close; one step a policy, so that a caller may pause between. Pure. */
export function* findPolicies({ policies, known, pods, labelled }: PoliciesSeen): Generator<Finding[]> {
  const byNamespace = Map.groupBy(
    pods.filter((pod) => !pod.ended),
    (pod) => pod.metadata?.namespace ?? '',
  );
  for (const policy of policies) {
    if (isOurs(policy, known)) continue;
    const { namespace = '', name = '', uid = '' } = policy.metadata ?? {};
    const about = {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      namespace,
      name,
      uid,
    } as const;
    const findings: Finding[] = [];
    if (POLICY_NAMES.includes(name) && labelled.has(namespace))
      findings.push({
        reason: 'policy-name-taken',
        about,
        message: `The policy that closes the enclaves of namespace ${namespace} cannot be made: this one has its name and is not the webhook's. Delete it, or give it another name.`,
      });
    const message = opening(policy, byNamespace.get(namespace) ?? []);
    if (message !== undefined) findings.push({ reason: 'policy-opens-port', about, message });
    yield findings;
  }
}

/** What a policy opens of these enclave pods, in a sentence; undefined when nothing. */
function opening({ opens, selector }: PolicyRecord, pods: readonly EnclavePod[]): string | undefined {
  if (opens.length === 0) return undefined;
  const open = pods.filter((pod) => pod.isOverLabelled || selects(selector, pod.metadata?.labels ?? {}));
  if (open.length === 0) return undefined;
  const first = open
    .map((pod) => pod.metadata?.name ?? '')
    .sort()
    .slice(0, 3)
    .join(', ');
  return `Opens ${opens.join(', ')} of ${open.length} enclave pod${open.length === 1 ? '' : 's'} (${first}${open.length > 3 ? ', ...' : ''}). Policies add up, so no other can close that: take the enclaves out of its podSelector, or the ports out of its rules.`;
}
