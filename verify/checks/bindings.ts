import type { Statement } from '../../formats/evidence/statement.ts';
import type { Certificate } from '../../formats/x509/certificate.ts';
import { fails, holds, type Outcome } from '../check-log.ts';
import { sameItems } from '../same-items.ts';
import type { VerifyCode } from '../verify-code.ts';
import type { CertifiedKey } from './certificate-chains.ts';

/** Texts that have to be the same one by one. */
function same(
  code: VerifyCode,
  expected: readonly (string | undefined)[],
  actual: readonly (string | undefined)[],
): Outcome<undefined> {
  return sameItems(expected, actual)
    ? holds(undefined, () => expected.join(', '))
    : fails(code, expected.join(', '), actual.join(', '));
}

/** The node in attestation key certificate, statement and (for a client) enclave certificate is one. */
export function checkNode(
  key: CertifiedKey,
  statement: Statement,
  certificate: Certificate | undefined,
): Outcome<undefined> {
  const certified = certificate ? (certificate.extensions.enclaveBinding?.node ?? '') : key.node;
  return same('node-differs', [key.node, key.node], [statement.pod.node, certified]);
}

/** Pod UID, enclave and SPIFFE ID in certificate and statement are one. */
export function checkPod(certificate: Certificate, statement: Statement): Outcome<undefined> {
  const { enclaveBinding, subjectAltName } = certificate.extensions;
  const { uid, enclave } = statement.pod;
  const certified = [enclaveBinding?.podUid, enclaveBinding?.enclave, subjectAltName?.uri[0]];
  return same('pod-differs', certified, [uid, enclave, statement.sub]);
}

/** The owner key in certificate and statement is one, or in neither. */
export function checkOwnerKey(certificate: Certificate, statement: Statement): Outcome<undefined> {
  const certified = certificate.extensions.enclaveBinding?.ownerKeySha256 ?? 'none';
  return same('owner-key-differs', [certified], [statement.access.ownerKeySha256 ?? 'none']);
}
