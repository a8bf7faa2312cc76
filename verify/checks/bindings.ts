import type { Statement } from '../../formats/evidence/statement.ts';
import type { Certificate } from '../../formats/x509/certificate.ts';
import { fails, holds, type Outcome } from '../check-log.ts';
import type { VerifyCode } from '../verify-code.ts';
import type { CertifiedKey } from './certificate-chains.ts';

function same(code: VerifyCode, expected: string, actual: string): Outcome<undefined> {
  return expected === actual ? holds(undefined, expected) : fails(code, expected, actual);
}

/** The node in attestation key certificate, statement and (for a client) enclave certificate is one. */
export function checkNode(
  key: CertifiedKey,
  statement: Statement,
  certificate: Certificate | undefined,
): Outcome<undefined> {
  const { node } = key;
  const certified = certificate ? (certificate.extensions.enclaveBinding?.node ?? '') : node;
  const expected = `${node}, ${node}`;
  // One by one: a certificate's name may hold whatever stands between them.
  return statement.pod.node === node && certified === node
    ? holds(undefined, expected)
    : fails('node-differs', expected, `${statement.pod.node}, ${certified}`);
}

/** Pod UID, enclave and SPIFFE ID in certificate and statement are one. */
export function checkPod(certificate: Certificate, statement: Statement): Outcome<undefined> {
  const { enclaveBinding, subjectAltName } = certificate.extensions;
  const { uid, enclave } = statement.pod;
  const certified = [enclaveBinding?.podUid, enclaveBinding?.enclave, subjectAltName?.uri[0]];
  return same('pod-differs', certified.join(', '), [uid, enclave, statement.sub].join(', '));
}

/** The owner key in certificate and statement is one, or in neither. */
export function checkOwnerKey(certificate: Certificate, statement: Statement): Outcome<undefined> {
  const certified = certificate.extensions.enclaveBinding?.ownerKeySha256 ?? 'none';
  return same('owner-key-differs', certified, statement.access.ownerKeySha256 ?? 'none');
}
