import { escapePointer } from '../../injection/json-patch.ts';
import { ENABLED, INJECTION_LABEL, MANAGED_LABEL } from '../../names/labels.ts';
import type { Kube } from '../../platform/kube/kube.ts';
import { NAMESPACES, NETWORK_POLICIES } from '../../platform/kube/resources.ts';
import type { PolicyAction } from './decide-policies.ts';
import { MANAGER, wantedPolicy } from './wanted-policies.ts';

/**
 * Carries out what was decided, on exactly the object that it was decided for.
 * @returns whether anything was written
 * @throws what the API server says; Conflict, AlreadyExists and Invalid mean that the object is another by now
 */
export async function writePolicy(kube: Kube, action: PolicyAction): Promise<boolean> {
  const { kind, namespace, name, uid, labelled } = action;
  const wanted = wantedPolicy(namespace, name);
  if (wanted === undefined) return false;
  const ref = { namespace, name };
  switch (kind) {
    case 'create':
      await kube.create(NETWORK_POLICIES, wanted);
      return true;
    case 'restore':
      await kube.patch(
        NETWORK_POLICIES,
        ref,
        [
          { op: 'test', path: '/metadata/uid', value: uid },
          { op: 'replace', path: '/spec', value: wanted.spec },
          ...(labelled ? [] : [{ op: 'add', path: '/metadata/labels', value: {} }]),
          { op: 'add', path: `/metadata/labels/${escapePointer(MANAGED_LABEL)}`, value: MANAGER },
        ],
        'json',
      );
      return true;
    case 'remove': {
      // The copy may be behind: nothing that closes enclaves goes while the label is there.
      const found = await kube.get(NAMESPACES, { name: namespace });
      if (found === undefined || found.metadata?.labels?.[INJECTION_LABEL] === ENABLED) return false;
      return kube.delete(NETWORK_POLICIES, ref, { uid });
    }
  }
}
