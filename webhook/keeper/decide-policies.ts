import type { PolicyRecord } from './policy-record.ts';
import { POLICY_NAMES } from './wanted-policies.ts';

export interface PolicyAction {
  readonly kind: 'create' | 'restore' | 'remove';
  readonly namespace: string;
  readonly name: string;
  /** Of the object that is restored or removed, and no other. */
  readonly uid: string;
  /** Whether that object has labels at all. */
  readonly labelled: boolean;
}

export interface PolicySituation {
  /** Labelled namespaces, without the excluded ones. */
  readonly labelled: ReadonlySet<string>;
  /** Those of them that are not being deleted. */
  readonly open: ReadonlySet<string>;
  /** Namespaces in which an enclave pod has not ended. */
  readonly occupied: ReadonlySet<string>;
  readonly policies: readonly PolicyRecord[];
  /** UIDs that were ours when they were first seen: whoever takes the label off does not make them theirs. */
  readonly known: ReadonlySet<string>;
}

/** Whether the keeper made it, also when its label has been taken off. */
export function isOurs(policy: PolicyRecord, known: ReadonlySet<string>): boolean {
  return policy.ours || known.has(policy.metadata?.uid ?? '');
}

/**
 * What has to be done so that each labelled namespace has its policies: missing ones are made, edited ones restored; those of a namespace that lost its label are
 * removed once no enclave runs there. An object of somebody else is left alone, whatever its name. Pure.
 */
export function decidePolicies(situation: PolicySituation): PolicyAction[] {
  const { labelled, open, occupied, policies, known } = situation;
  const actions: PolicyAction[] = [];
  const taken = new Set<string>();
  for (const policy of policies) {
    const { namespace = '', name = '', uid = '', labels } = policy.metadata ?? {};
    if (!POLICY_NAMES.includes(name)) continue;
    taken.add(`${namespace}/${name}`);
    if (!isOurs(policy, known)) continue;
    const of = { namespace, name, uid, labelled: labels !== undefined };
    if (open.has(namespace) && !policy.intact) actions.push({ kind: 'restore', ...of });
    if (!labelled.has(namespace) && !occupied.has(namespace)) actions.push({ kind: 'remove', ...of });
  }
  for (const namespace of open)
    for (const name of POLICY_NAMES)
      if (!taken.has(`${namespace}/${name}`))
        actions.push({ kind: 'create', namespace, name, uid: '', labelled: false });
  return actions;
}
