import { toBase64url } from '../formats/bytes/base64.ts';
import { toHex } from '../formats/bytes/bytes.ts';
import type { Crypto } from '../formats/crypto/crypto.ts';
import type { Certificate } from '../formats/x509/certificate.ts';
import type { VerifyCache } from './verify-cache.ts';

/** SHA-256 of some DER, in lower-case hex and as a statement has it. */
export interface Fingerprint {
  readonly hex: string;
  readonly base64url: string;
}

export function fingerprint(crypto: Crypto, der: Uint8Array): Fingerprint {
  const sha256 = crypto.hash('sha256', der);
  return { hex: toHex(sha256), base64url: toBase64url(sha256) };
}

/** Of a certificate; one that came out of a cache is hashed once. */
export function certificateFingerprint(
  certificate: Certificate,
  crypto: Crypto,
  cache: VerifyCache | undefined,
): Fingerprint {
  return cache?.fingerprint(crypto, certificate) ?? fingerprint(crypto, certificate.der);
}
