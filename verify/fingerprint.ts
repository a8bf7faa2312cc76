import { concat, toHex } from '../formats/bytes/bytes.ts';
import type { Crypto } from '../formats/crypto/crypto.ts';
import type { Certificate } from '../formats/x509/certificate.ts';
import type { VerifyCache } from './verify-cache.ts';

/** SHA-256 of some DER, as bytes and in lower-case hex. */
export interface Fingerprint {
  readonly sha256: Uint8Array;
  readonly hex: string;
}

export function fingerprint(crypto: Crypto, der: Uint8Array): Fingerprint {
  // A copy: it is kept, and a seam may write its next hash into the same memory.
  const sha256 = concat(crypto.hash('sha256', der));
  return { sha256, hex: toHex(sha256) };
}

/** Of a certificate; one that came out of a cache is hashed once. */
export function certificateFingerprint(
  certificate: Certificate,
  crypto: Crypto,
  cache: VerifyCache | undefined,
): Fingerprint {
  return cache?.fingerprint(crypto, certificate) ?? fingerprint(crypto, certificate.der);
}
