import { concat, fromHex } from '../bytes/bytes.ts';
import { type Result, refuse, success } from '../bytes/result.ts';
import { Writer } from '../bytes/writer.ts';
import type { Crypto } from '../crypto/crypto.ts';
import { HASHES, type TpmCurve } from './algorithms.ts';
import { decode, type TpmFormatCode } from './decode.ts';
import { derBitString, derInteger, derSequence } from './der.ts';
import { encode } from './encode.ts';
import { PUBLIC } from './structures.ts';
import type { ValueOf } from './wire.ts';

/** TPMT_PUBLIC (part 2, 12.2.4) of an RSA or ECC key; `parameters.kind` and `unique.kind` agree. */
export type Public = ValueOf<typeof PUBLIC>;
/** TPMA_OBJECT (part 2, 8.3): a boolean for each attribute. */
export type ObjectAttributes = Public['attributes'];

/** Reads a TPMT_PUBLIC (part 2, 12.2.4) that fills `bytes` exactly: without the size of a TPM2B_PUBLIC. */
export function decodePublic(bytes: Uint8Array): Result<Public, TpmFormatCode> {
  return decode(PUBLIC, bytes);
}

/**
 * Bytes of a TPMT_PUBLIC: what its Name is computed over.
 * @throws RangeError for a value that does not fit its field
 */
export function encodePublic(value: Public): Uint8Array {
  return encode(PUBLIC, value);
}

function hexBytes(text: string): Uint8Array {
  const bytes = fromHex(text);
  if (bytes === undefined) throw new TypeError('not hexadecimal');
  return bytes;
}

/** AlgorithmIdentifier, DER: rsaEncryption with NULL (RFC 3279, 2.3.1). */
const RSA_ENCRYPTION = hexBytes('300d06092a864886f70d0101010500');
/** AlgorithmIdentifier, DER: id-ecPublicKey with a named curve (RFC 5480, 2.1.1), and the size of a coordinate. */
const CURVE_KEYS: Readonly<Record<TpmCurve, { algorithm: Uint8Array; size: number }>> = {
  'P-256': { algorithm: hexBytes('301306072a8648ce3d020106082a8648ce3d030107'), size: 32 },
  'P-384': { algorithm: hexBytes('301006072a8648ce3d020106052b81040022'), size: 48 },
  'P-521': { algorithm: hexBytes('301006072a8648ce3d020106052b81040023'), size: 66 },
};

function leftPad(bytes: Uint8Array, size: number): Uint8Array {
  return concat(new Uint8Array(Math.max(0, size - bytes.length)), bytes);
}

/**
 * The SubjectPublicKeyInfo (DER, RFC 5280, 4.1.2.7) of a TPM key. Refuses a key whose size contradicts its
 * parameters. Whether a point is on its curve is for whoever uses the key to find out (OpenSSL does).
 */
export function publicToSpki(value: Public): Result<Uint8Array, 'tpm-unsupported-key'> {
  const { parameters, unique } = value;
  const no = (message: string) =>
    refuse(
      'tpm-unsupported-key',
      message,
      'use an RSA or NIST curve key of the size that its parameters say',
    );
  if (parameters.kind === 'rsa' && unique.kind === 'rsa') {
    if (unique.modulus.length * 8 !== parameters.keyBits)
      return no(`the modulus has no ${parameters.keyBits} bits`);
    const exponent = new Writer().u32(parameters.exponent === 0 ? 65537 : parameters.exponent).finish();
    const key = derSequence(concat(derInteger(unique.modulus), derInteger(exponent)));
    return success(derSequence(concat(RSA_ENCRYPTION, derBitString(key))));
  }
  if (parameters.kind === 'ecc' && unique.kind === 'ecc') {
    const { algorithm, size } = CURVE_KEYS[parameters.curve];
    if (unique.x.length > size || unique.y.length > size || unique.x.length === 0 || unique.y.length === 0)
      return no(`a coordinate is no number of ${parameters.curve}`);
    const point = concat(Uint8Array.of(4), leftPad(unique.x, size), leftPad(unique.y, size));
    return success(derSequence(concat(algorithm, derBitString(point))));
  }
  return no('parameters and key are of different types');
}

/**
 * The Name of an object (part 1, 16): its nameAlg, then the digest of its TPMT_PUBLIC by it.
 * Refuses name algorithms other than SHA-256 and SHA-384.
 */
export function objectName(crypto: Crypto, value: Public): Result<Uint8Array, 'tpm-unsupported-key'> {
  const { nameAlg } = value;
  if (nameAlg !== 'sha256' && nameAlg !== 'sha384')
    return refuse('tpm-unsupported-key', `the key's name algorithm is ${nameAlg}`, 'use SHA-256 or SHA-384');
  const algorithm = new Writer().u16(HASHES[nameAlg]).finish();
  return success(concat(algorithm, crypto.hash(nameAlg, encodePublic(value))));
}

/**
 * The Qualified Name (part 1, 16: `QN = nameAlg || H(QN of the parent || Name)`) of a primary key of a hierarchy,
 * whose own qualified name is its handle. It stands in every TPMS_ATTEST as `qualifiedSigner`.
 */
export function primaryQualifiedName(
  crypto: Crypto,
  value: Public,
  hierarchy: number,
): Result<Uint8Array, 'tpm-unsupported-key'> {
  const name = objectName(crypto, value);
  if (!name.ok) return name;
  const { nameAlg } = value;
  if (nameAlg !== 'sha256' && nameAlg !== 'sha384')
    return refuse('tpm-unsupported-key', nameAlg, 'use SHA-256');
  const parent = new Writer().u32(hierarchy).finish();
  const algorithm = new Writer().u16(HASHES[nameAlg]).finish();
  return success(concat(algorithm, crypto.hash(nameAlg, concat(parent, name.value))));
}
