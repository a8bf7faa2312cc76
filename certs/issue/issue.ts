import { type Result, success } from '../../formats/bytes/result.ts';
import type { Crypto } from '../../formats/crypto/crypto.ts';
import { buildCertificate } from '../../formats/x509/certificate.ts';
import type { IssuerKey } from '../authority/authority.ts';
import { type CertsCode, refuseCerts } from '../code.ts';
import { BACKDATE_SECONDS, clampNotAfter, LIFETIMES } from './lifetimes.ts';
import type { CertificateProfile } from './profile.ts';

export interface Issued {
  /** DER of the leaf; the issuer is a root, so nothing follows it. */
  readonly certificate: Uint8Array;
  /** Unix seconds. */
  readonly notAfter: number;
}

export interface IssueContext {
  readonly crypto: Crypto;
  readonly key: IssuerKey;
  /** Unix seconds. */
  readonly now: number;
  /** 16 random bytes. */
  readonly serial: Uint8Array;
}

/** Signs what was verified. Pure but for the key's use: time and serial number are arguments, the lifetime is clamped. */
export function issue(profile: CertificateProfile, context: IssueContext): Result<Issued, CertsCode> {
  const { crypto, key, now, serial } = context;
  if (key.issuer !== profile.issuer)
    throw new Error(`a certificate of ${profile.issuer} by the key of ${key.issuer}`);
  const issuer = key.certificate;
  const notAfter = clampNotAfter(
    LIFETIMES[profile.issuer],
    now,
    profile.wishedSeconds,
    issuer.notAfter,
    ...(profile.notAfterLimit === undefined ? [] : [profile.notAfterLimit]),
  );
  if (notAfter === undefined)
    return refuseCerts(
      'lifetime',
      'nothing is left of the time that the certificate may last',
      'renew what ends: the grant, or the root',
    );
  const certificate = buildCertificate(
    {
      serial,
      issuer: issuer.subject,
      subject: profile.subject,
      notBefore: Math.max(now - BACKDATE_SECONDS, issuer.notBefore),
      notAfter,
      spki: profile.spki,
      extensions: {
        ...profile.extensions,
        subjectKeyIdentifier: keyIdentifier(crypto, profile.spki),
        authorityKeyIdentifier: issuer.extensions.subjectKeyIdentifier,
      },
    },
    key.sign,
    key.scheme,
  );
  return success({ certificate, notAfter });
}

/** RFC 7093, method 1 over the whole SubjectPublicKeyInfo: the leftmost 160 bits of its SHA-256. */
export function keyIdentifier(crypto: Crypto, spki: Uint8Array): Uint8Array {
  return crypto.hash('sha256', spki).subarray(0, 20);
}
