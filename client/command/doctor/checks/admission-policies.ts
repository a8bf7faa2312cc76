import type {
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
} from '../../../../platform/kube/resources.ts';
import { differences } from '../differences.ts';
import type { Notes } from '../notes.ts';
import { ofKind } from '../release-objects.ts';
import type { Snapshot } from '../snapshot.ts';

type Stored = ValidatingAdmissionPolicy | ValidatingAdmissionPolicyBinding;

/** The rules that the API server itself holds pods to, and their bindings, exactly as this version has them. */
export function checkAdmissionPolicies(snapshot: Snapshot, notes: Notes): void {
  const policies = compare('ValidatingAdmissionPolicy', snapshot.policies, snapshot, notes);
  compare('ValidatingAdmissionPolicyBinding', snapshot.policyBindings, snapshot, notes);
  for (const { metadata, status } of snapshot.policies.ok ? snapshot.policies.value : []) {
    const [warning] = status?.typeChecking?.expressionWarnings ?? [];
    if (warning === undefined || !metadata?.name?.endsWith('.enclave-licensing.dev')) continue;
    notes.warning('policy-differs', {
      about: `ValidatingAdmissionPolicy ${metadata.name}`,
      what: `the API server does not understand ${warning.fieldRef}`,
      why: 'What it does not understand it refuses, or with failurePolicy Ignore lets through.',
      remedy: `kubectl describe validatingadmissionpolicy ${metadata.name}`,
    });
  }
  notes.saw(`${policies} policies, each bound`);
}

/** @returns how many this version has */
function compare(
  kind: 'ValidatingAdmissionPolicy' | 'ValidatingAdmissionPolicyBinding',
  read: Snapshot['policies'] | Snapshot['policyBindings'],
  { release }: Snapshot,
  notes: Notes,
): number {
  const wanted = ofKind<Stored>(release, kind);
  const stored: readonly Stored[] | undefined = notes.value(kind, read as Snapshot['policies']);
  if (stored === undefined) return wanted.length;
  const why =
    'It holds also while the webhook is down: without it an enclave can be changed or entered past its sidecar.';
  for (const { metadata, spec } of wanted) {
    const about = `${kind} ${metadata?.name}`;
    const found = stored.find((each) => each.metadata?.name === metadata?.name);
    const paths = found === undefined ? [] : differences(spec, found.spec);
    const remedy = 'helm upgrade of the release restores it; then find out who changed it: the audit log';
    if (found === undefined) notes.problem('policy-missing', { about, what: 'is not there', why, remedy });
    else if (paths.length > 0)
      notes.problem('policy-differs', {
        about,
        what: `is not what this version installs: ${paths.slice(0, 3).join(', ')}`,
        why,
        remedy,
      });
  }
  return wanted.length;
}
