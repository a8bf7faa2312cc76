import { equal } from '../../formats/bytes/bytes.ts';
import { type Result, refuse, success } from '../../formats/bytes/result.ts';
import type { Crypto } from '../../formats/crypto/crypto.ts';
import type { UserBinding } from '../../formats/x509/bindings.ts';
import {
  type Certificate,
  parseCertificate,
  verifyCertificateSignature,
} from '../../formats/x509/certificate.ts';
import { OID_EKU_CLIENT_AUTH, OID_EKU_USER } from '../../names/oids.ts';
import type { AccessCode } from './code.ts';

export interface UserCertificate {
  readonly certificate: Certificate;
  readonly binding: UserBinding;
}

const RENEW = 'Get a certificate with "enclavectl certificate", then connect again.';

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
  if (!parsed.ok) return refuse('certificate-malformed', parsed.message, RENEW);
  const certificate = parsed.value;
  if (!roots.some((root) => signedBy(crypto, certificate, root, now)))
    return refuse('certificate-untrusted', 'no root of the issuer "users" signed the certificate', RENEW);
  const { extensions } = certificate;
  const usages = extensions.extendedKeyUsage ?? [];
  if (
    !usages.includes(OID_EKU_USER) ||
    !usages.every((usage) => usage === OID_EKU_USER || usage === OID_EKU_CLIENT_AUTH) ||
    extensions.keyUsage?.includes('digitalSignature') !== true ||
    extensions.basicConstraints?.ca === true ||
    extensions.unknownCritical.length > 0
  )
    return refuse('certificate-wrong-role', 'the certificate is not that of an enclave’s user', RENEW);
  if (extensions.userBinding === undefined)
    return refuse('certificate-wrong-role', 'the certificate names no enclave and no user', RENEW);
  if (now < certificate.notBefore)
    return refuse('certificate-not-yet-valid', 'the certificate is not valid yet', 'Check the clocks.');
  if (now > certificate.notAfter) return refuse('certificate-expired', 'the certificate has expired', RENEW);
  return success({ certificate, binding: extensions.userBinding });
}
