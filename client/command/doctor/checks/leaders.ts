import type { Notes } from '../notes.ts';
import type { Snapshot } from '../snapshot.ts';
import { nowOf, timeOf } from './time.ts';

/** Who is elected, and what stops when nobody is. */
const LEASES = {
  'enclave-certs':
    'Roots, caBundle and trust document are written by whoever holds it: without one they grow old.',
  'enclave-webhook':
    'Network policies of enclaves are neither made nor mended, and nobody looks for what got past the webhook.',
} as const;
/** Of a lease's duration: it is renewed three times in it. */
const LATE = 3;

/** The elected replica of the certificate service and of the webhook: each holds its lease, and renews it. */
export function checkLeaders(snapshot: Snapshot, notes: Notes): void {
  const leases = notes.value(`leases in ${snapshot.namespace}`, snapshot.leases);
  if (leases === undefined) return;
  const now = nowOf(snapshot) * 1000;
  for (const [name, why] of Object.entries(LEASES)) {
    const spec = leases.find(({ metadata }) => metadata?.name === name)?.spec;
    const renewed = timeOf(spec?.renewTime);
    const duration = (spec?.leaseDurationSeconds ?? 15) * 1000;
    const what =
      spec === undefined
        ? 'nobody was ever elected'
        : !spec.holderIdentity
          ? 'nobody holds it'
          : renewed === undefined || now - renewed > LATE * duration
            ? `its holder ${spec.holderIdentity} has not renewed it since ${spec.renewTime}`
            : undefined;
    if (what === undefined) continue;
    notes.problem('no-leader', {
      about: `Lease ${name}`,
      what,
      why,
      remedy: `kubectl get lease ${name} -n ${snapshot.namespace} -o yaml; kubectl logs -n ${snapshot.namespace} -l app.kubernetes.io/name=${name} --tail=50`,
    });
  }
  notes.saw('certificate service and webhook have a leader each');
}
