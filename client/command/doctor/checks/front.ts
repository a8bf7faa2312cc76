import { flagOf, podsOf } from '../component-pods.ts';
import type { Notes } from '../notes.ts';
import type { Snapshot } from '../snapshot.ts';
import { nowOf } from './time.ts';

/** A new one is made each minute. */
const OLD_SECONDS = 300;

/** Front as a user reaches it: known by the roots, and with a trust document that is signed and new. */
export function checkFront(snapshot: Snapshot, notes: Notes): void {
  const { front } = snapshot;
  if (front === undefined) {
    notes.saw('not asked: give --server HOST:PORT to look at it as a user does');
    return;
  }
  const about = `front at ${front.address}`;
  if (!front.answer.ok) {
    notes.problem('front-unreachable', {
      about,
      what: front.answer.message,
      why: 'Users cannot reach it here either.',
      remedy: `kubectl get service,endpointslices -n ${snapshot.namespace} -l app.kubernetes.io/name=enclave-front; firewall, Ingress and DNS before it must pass TLS through`,
    });
    return;
  }
  const { authenticated, vouched, issuedAt, pcrs } = front.answer.value;
  if (!authenticated || !vouched)
    notes.problem('front-foreign', {
      about,
      what: authenticated
        ? 'no root that is held here signed its trust document'
        : 'its certificate is not front’s under the roots that are held here, or lacks the name',
      why: 'Users refuse it: something between ends TLS, it belongs to another cluster, or it lacks a public name.',
      remedy:
        'let TLS through to front; name the host in front.publicNames (docs/install.md), or give --server-name; compare the roots',
    });
  const age = nowOf(snapshot) - issuedAt;
  if (age > OLD_SECONDS)
    notes.problem('trust-document-old', {
      about,
      what: `its trust document is ${Math.floor(age / 60)} minutes old`,
      why: 'Revocations do not arrive, and after an hour sidecars let nobody in.',
      remedy: `kubectl logs -n ${snapshot.namespace} -l app.kubernetes.io/name=enclave-certs; then -l app.kubernetes.io/name=enclave-front`,
    });
  for (const configured of podsOf(snapshot, 'certs').map((pod) => flagOf(pod, 'pcrs')))
    if (configured !== undefined && configured !== pcrs)
      notes.warning('settings-differ', {
        about,
        what: `its trust document has the PCR selection ${pcrs}, the certificate service ${configured}`,
        why: 'Quotes have another selection than policies of users expect.',
        remedy: 'wait a minute; then compare the values pcrs and the pods’ arguments',
      });
  notes.saw(`${front.address} answers as front, trust document ${Math.max(0, age)} s old, PCRs ${pcrs}`);
}
