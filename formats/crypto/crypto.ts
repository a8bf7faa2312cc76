/** FIPS 180-4: digests of 32 and 48 bytes. */
export type HashAlgorithm = 'sha256' | 'sha384';

/**
 * Signature algorithms of certificates, requests and TPM signatures, hash included. RSA-PSS: MGF1 with the same hash, and a salt as long as the hash. A TPM
 * that does not follow FIPS 186 takes the longest that the key allows (TPM 2.0 Library part 1, B.7): `tpm-rsapss` is either of the two lengths.
 */
export type SignatureScheme =
  | 'rsassa-sha256'
  | 'rsassa-sha384'
  | 'rsapss-sha256'
  | 'rsapss-sha384'
  | 'tpm-rsapss-sha256'
  | 'tpm-rsapss-sha384'
  | 'ecdsa-sha256'
  | 'ecdsa-sha384';

/**
 * The seam between pure rooms and a platform's primitives; the other side is `platform/crypto`. Both calls are
 * synchronous and never throw on bad input: what is no key or no signature does not verify.
 */
export interface Crypto {
  /**
   * @param bytes only good during the call: their memory is used again
   * @returns may be the same memory in every call: who keeps it takes a copy
   */
  hash(algorithm: HashAlgorithm, bytes: Uint8Array): Uint8Array;
  /**
   * @param spki SubjectPublicKeyInfo, DER (RFC 5280, 4.1.2.7)
   * @param message what was signed, not its hash
   * @param signature for ECDSA the DER of Ecdsa-Sig-Value (RFC 3279, 2.2.3); for RSA as long as the modulus
   */
  verifySignature(
    spki: Uint8Array,
    scheme: SignatureScheme,
    message: Uint8Array,
    signature: Uint8Array,
  ): boolean;
}
