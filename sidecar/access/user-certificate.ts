import { equal } from '../../formats/bytes/bytes.ts';
import { type Result, success } from '../../formats/bytes/result.ts';
import type { Crypto } from '../../formats/crypto/crypto.ts';
import type { UserBinding } from '../../formats/x509/bindings.ts';
import {
  type Certificate,
  parseCertificate,
  verifyCertificateSignature,
} from '../../formats/x509/certificate.ts';
import { OID_EKU_CLIENT_AUTH, OID_EKU_USER } from '../../names/oids.ts';
import { type AccessCode, refuseAccess } from './code.ts';

export interface UserCertificate {
  readonly certificate: Certificate;
  readonly binding: UserBinding;
}

/** A root speaks for its own subject only, with its own key, while it is valid. */
function signedBy(crypto: Crypto, certificate: Certificate, root: Uint8Array, now: number): boolean {
  const parsed = parseCertificate(root);
  return (
    parsed.ok &&
    now >= parsed.value.notBefore &&
    now <= parsed.value.notAfter &&
    equal(parsed.value.subject, certificate.issuer) &&
    verifyCertificateSignature(crypto, certificate, parsed.value.spki)
  );
}

/**
 * Judges the certificate that a client showed: signed by a `users` root itself, in its time, for the role of a user and no other,
 * with our user binding, no critical extension that we do not know (RFC 5280, 4.2).
 * @param now unix seconds
 */
export function judgeUserCertificate(
  crypto: Crypto,
  der: Uint8Array,
  roots: readonly Uint8Array[],
  now: number,
): Result<UserCertificate, AccessCode> {
  const parsed = parseCertificate(der);
  if (!parsed.ok) return refuseAccess('certificate-malformed', parsed.message);
  const certificate = parsed.value;
  if (!roots.some((root) => signedBy(crypto, certificate, root, now)))
    return refuseAccess('certificate-untrusted', 'no root of the issuer "users" signed the certificate');
  const { extensions } = certificate;
  const usages = extensions.extendedKeyUsage ?? [];
  if (
    !usages.includes(OID_EKU_USER) ||
    !usages.every((usage) => usage === OID_EKU_USER || usage === OID_EKU_CLIENT_AUTH) ||
    extensions.keyUsage?.includes('digitalSignature') !== true ||
    extensions.basicConstraints?.ca === true ||
    extensions.unknownCritical.length > 0
  )
    return refuseAccess('certificate-wrong-role', 'the certificate is not that of an enclave’s user');
  if (extensions.userBinding === undefined)
    return refuseAccess('certificate-wrong-role', 'the certificate names no enclave and no user');
  if (now < certificate.notBefore)
    return refuseAccess('certificate-not-yet-valid', 'the certificate is not valid yet');
  if (now > certificate.notAfter) return refuseAccess('certificate-expired', 'the certificate has expired');
  return success({ certificate, binding: extensions.userBinding });
}
