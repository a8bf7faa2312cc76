import { type Result, refuse, success } from '../bytes/result.ts';
import type { SignatureScheme } from '../crypto/crypto.ts';
import { decode, type TpmFormatCode } from './decode.ts';
import { derEcdsaSignature } from './der.ts';
import { encode } from './encode.ts';
import { SIGNATURE } from './structures.ts';
import type { ValueOf } from './wire.ts';

/** TPMT_SIGNATURE (part 2, 11.3.4): `kind` is `rsassa`, `rsapss` or `ecdsa`. */
export type Signature = ValueOf<typeof SIGNATURE>;

/** Reads a TPMT_SIGNATURE (part 2, 11.3.4) that fills `bytes` exactly. */
export function decodeSignature(bytes: Uint8Array): Result<Signature, TpmFormatCode> {
  return decode(SIGNATURE, bytes);
}

/** Bytes of a TPMT_SIGNATURE. @throws RangeError for a value that does not fit its field */
export function encodeSignature(signature: Signature): Uint8Array {
  return encode(SIGNATURE, signature);
}

/**
 * A TPM signature in the form of the crypto seam: scheme, and for ECDSA the DER of Ecdsa-Sig-Value (RFC 3279, 2.2.3).
 * Refuses hash algorithms other than SHA-256 and SHA-384.
 */
export function signatureToScheme(
  signature: Signature,
): Result<{ scheme: SignatureScheme; bytes: Uint8Array }, 'tpm-unsupported-signature'> {
  const { kind, hash } = signature;
  if (hash !== 'sha256' && hash !== 'sha384')
    return refuse(
      'tpm-unsupported-signature',
      `the signature uses ${hash}`,
      'use a key whose scheme has SHA-256 or SHA-384',
    );
  const bytes =
    signature.kind === 'ecdsa' ? derEcdsaSignature(signature.r, signature.s) : signature.signature;
  return success({ scheme: `${kind === 'rsapss' ? 'tpm-rsapss' : kind}-${hash}` as const, bytes });
}
