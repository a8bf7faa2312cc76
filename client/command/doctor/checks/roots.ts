import { parseRoots, rootsSha256, rootsToJson } from '../../../../formats/evidence/roots.ts';
import { parseCertificate } from '../../../../formats/x509/certificate.ts';
import { ROOTS_CONFIG_MAP, ROOTS_KEY } from '../../../../names/components.ts';
import { ISSUERS } from '../../../../names/signers.ts';
import { nodeCrypto } from '../../../../platform/crypto/node-crypto.ts';
import type { Notes } from '../notes.ts';
import type { Snapshot } from '../snapshot.ts';
import { days, nowOf } from './time.ts';

/** Long enough to rotate roots and hand them out. */
const ENDING_DAYS = 90;
const ABOUT = `ConfigMap ${ROOTS_CONFIG_MAP}`;

/** The roots that the certificate service published: there, whole, in time, and those that users were given. */
export function checkRoots(snapshot: Snapshot, notes: Notes): void {
  const { namespace, pinned } = snapshot;
  const found = notes.value(ABOUT, snapshot.roots);
  if (!snapshot.roots.ok) return;
  const text = found?.data?.[ROOTS_KEY];
  if (text === undefined) {
    notes.problem('roots-missing', {
      about: ABOUT,
      what: found === undefined ? 'is not there' : `has no key ${ROOTS_KEY}`,
      why: 'Every component mounts it: none but the certificate service starts.',
      remedy: `the certificate service writes it: kubectl logs -n ${namespace} -l app.kubernetes.io/name=enclave-certs`,
    });
    return;
  }
  const roots = parseRoots(text);
  if (!roots.ok) {
    notes.problem('roots-invalid', {
      about: ABOUT,
      what: roots.message,
      why: 'No component and no user can judge anything by it.',
      remedy: `the certificate service mends it within seconds where it runs: kubectl logs -n ${namespace} -l app.kubernetes.io/name=enclave-certs`,
    });
    return;
  }
  const now = nowOf(snapshot);
  for (const issuer of ISSUERS)
    for (const der of roots.value[issuer]) {
      const certificate = parseCertificate(der);
      if (!certificate.ok) continue;
      const left = days(certificate.value.notAfter - now);
      const about = `root ${issuer}`;
      if (certificate.value.notAfter <= now)
        notes.problem('roots-ended', {
          about,
          what: `ended ${new Date(certificate.value.notAfter * 1000).toISOString()}`,
          why: 'Nothing that it signed is good any more.',
          remedy: 'docs/operating.md, "Rotation": make new roots and hand them to the users',
        });
      else if (left < ENDING_DAYS)
        notes.warning('roots-ending', {
          about,
          what: `ends in ${left} days, ${new Date(certificate.value.notAfter * 1000).toISOString()}`,
          why: 'From then on nothing that it signed is good.',
          remedy: 'docs/operating.md, "Rotation": begin now, users need the new roots out of band',
        });
    }
  const sha256 = rootsSha256(nodeCrypto, rootsToJson(roots.value));
  if (pinned !== undefined && pinned.sha256 !== sha256)
    notes.problem('roots-not-pinned', {
      about: ABOUT,
      what: `has the fingerprint ${sha256}; the roots that are pinned here have ${pinned.sha256}`,
      why: 'Users who pinned the others refuse this cluster, or somebody has replaced its roots.',
      remedy:
        'find out which are yours; enclavectl init --replace pins others, docs/operating.md says how roots change',
    });
  notes.saw(`fingerprint ${sha256}${pinned === undefined ? '' : ', as pinned here'}`);
}
