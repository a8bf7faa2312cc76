import { constants, createPublicKey, hash, type KeyObject, verify } from 'node:crypto';
import type { Crypto, HashAlgorithm, SignatureScheme } from '../../formats/crypto/crypto.ts';

interface SchemeParameters {
  readonly keyType: 'ec' | 'rsa';
  readonly hash: HashAlgorithm;
  readonly padding?: number;
}

const PSS = constants.RSA_PKCS1_PSS_PADDING;
const PKCS1 = constants.RSA_PKCS1_PADDING;
const SCHEMES: Readonly<Record<SignatureScheme, SchemeParameters>> = Object.assign(Object.create(null), {
  'rsassa-sha256': { keyType: 'rsa', hash: 'sha256', padding: PKCS1 },
  'rsassa-sha384': { keyType: 'rsa', hash: 'sha384', padding: PKCS1 },
  'rsapss-sha256': { keyType: 'rsa', hash: 'sha256', padding: PSS },
  'rsapss-sha384': { keyType: 'rsa', hash: 'sha384', padding: PSS },
  'ecdsa-sha256': { keyType: 'ec', hash: 'sha256' },
  'ecdsa-sha384': { keyType: 'ec', hash: 'sha384' },
});

const CURVES: readonly (string | undefined)[] = ['prime256v1', 'secp384r1'];
const MINIMUM_RSA_BITS = 2048;

/** Reading a P-256 key takes longer than verifying with it, and the same few keys come again and again. */
const MAX_KEYS = 256;
const readKeys = new Map<string, KeyObject>();

function readKey(spki: Uint8Array): KeyObject {
  const der = Buffer.from(spki);
  const name = der.toString('latin1');
  const known = readKeys.get(name);
  if (known !== undefined) return known;
  const key = createPublicKey({ key: der, format: 'der', type: 'spki' });
  const [oldest] = readKeys.size < MAX_KEYS ? [] : readKeys.keys();
  if (oldest !== undefined) readKeys.delete(oldest);
  readKeys.set(name, key);
  return key;
}

/** The key, if it is one that this project accepts: P-256, P-384, or RSA of 2,048 bits or more. */
function acceptedKey(spki: Uint8Array, parameters: SchemeParameters): KeyObject | undefined {
  const key = readKey(spki);
  if (key.asymmetricKeyType !== parameters.keyType) return undefined;
  const details = key.asymmetricKeyDetails;
  if (parameters.keyType === 'ec') return CURVES.includes(details?.namedCurve) ? key : undefined;
  return (details?.modulusLength ?? 0) >= MINIMUM_RSA_BITS ? key : undefined;
}

const HASH_BYTES: Readonly<Record<HashAlgorithm, number>> = { sha256: 32, sha384: 48 };

/** As long as the hash, or the longest that fits (RFC 8017, 9.1.1). */
function saltLengths(key: KeyObject, hashName: HashAlgorithm): readonly number[] {
  const modulusBits = key.asymmetricKeyDetails?.modulusLength ?? 0;
  const hashBytes = HASH_BYTES[hashName];
  return [hashBytes, Math.ceil((modulusBits - 1) / 8) - hashBytes - 2];
}

/** Node's side of the seam (`formats/crypto`): OpenSSL through node:crypto. */
export const nodeCrypto: Crypto = {
  hash(algorithm, bytes) {
    return new Uint8Array(hash(algorithm, bytes, 'buffer'));
  },
  verifySignature(spki, scheme, message, signature) {
    const parameters = SCHEMES[scheme];
    if (parameters === undefined) return false;
    try {
      const key = acceptedKey(spki, parameters);
      if (key === undefined) return false;
      const { padding } = parameters;
      if (padding === PSS)
        return saltLengths(key, parameters.hash).some((saltLength) =>
          verify(parameters.hash, message, { key, padding, saltLength }, signature),
        );
      const options = padding === undefined ? { key, dsaEncoding: 'der' as const } : { key, padding };
      return verify(parameters.hash, message, options, signature);
    } catch {
      // A key or signature that OpenSSL cannot read is one that does not verify.
      return false;
    }
  },
};
