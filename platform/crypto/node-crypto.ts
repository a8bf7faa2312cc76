import { constants, createPublicKey, hash, type KeyObject, verify } from 'node:crypto';
import type { Crypto, HashAlgorithm, SignatureScheme } from '../../formats/crypto/crypto.ts';

interface SchemeParameters {
  readonly keyType: 'ec' | 'rsa';
  readonly hash: HashAlgorithm;
  /** Whose salt it is: an X.509 algorithm's, or a TPM's. */
  readonly pss?: 'x509' | 'tpm';
}

const PSS = constants.RSA_PKCS1_PSS_PADDING;
const SCHEMES: Readonly<Record<SignatureScheme, SchemeParameters>> = Object.assign(Object.create(null), {
  'rsassa-sha256': { keyType: 'rsa', hash: 'sha256' },
  'rsassa-sha384': { keyType: 'rsa', hash: 'sha384' },
  'rsapss-sha256': { keyType: 'rsa', hash: 'sha256', pss: 'x509' },
  'rsapss-sha384': { keyType: 'rsa', hash: 'sha384', pss: 'x509' },
  'tpm-rsapss-sha256': { keyType: 'rsa', hash: 'sha256', pss: 'tpm' },
  'tpm-rsapss-sha384': { keyType: 'rsa', hash: 'sha384', pss: 'tpm' },
  'ecdsa-sha256': { keyType: 'ec', hash: 'sha256' },
  'ecdsa-sha384': { keyType: 'ec', hash: 'sha384' },
});

const CURVES: readonly (string | undefined)[] = ['prime256v1', 'secp384r1'];
const MINIMUM_RSA_BITS = 2048;

interface AcceptedKey {
  readonly key: KeyObject;
  readonly type: SchemeParameters['keyType'];
}

/** Reading a key takes half as long as verifying with it, and the same few keys come again and again. */
const MAX_KEYS = 256;
const readKeys = new Map<string, AcceptedKey>();

/** The key, if it is one that this project accepts: P-256, P-384, or RSA of 2,048 bits or more. */
function acceptedKey(spki: Uint8Array): AcceptedKey | undefined {
  const der = Buffer.from(spki.buffer, spki.byteOffset, spki.length);
  // The bytes themselves, one character a byte: nothing but the very same bytes finds the key.
  const name = der.toString('latin1');
  const known = readKeys.get(name);
  if (known !== undefined) return known;
  const key = createPublicKey({ key: der, format: 'der', type: 'spki' });
  const type = typeOf(key);
  if (type === undefined) return undefined;
  const [oldest] = readKeys.size < MAX_KEYS ? [] : readKeys.keys();
  if (oldest !== undefined) readKeys.delete(oldest);
  const accepted = { key, type };
  readKeys.set(name, accepted);
  return accepted;
}

function typeOf({
  asymmetricKeyType,
  asymmetricKeyDetails: details,
}: KeyObject): AcceptedKey['type'] | undefined {
  if (asymmetricKeyType === 'ec') return CURVES.includes(details?.namedCurve) ? 'ec' : undefined;
  return asymmetricKeyType === 'rsa' && (details?.modulusLength ?? 0) >= MINIMUM_RSA_BITS ? 'rsa' : undefined;
}

const HASH_BYTES: Readonly<Record<HashAlgorithm, number>> = { sha256: 32, sha384: 48 };

/** As long as the hash; a TPM's also the longest that fits (RFC 8017, 9.1.1). */
function saltLengths(key: KeyObject, { hash: hashName, pss }: SchemeParameters): readonly number[] {
  const modulusBits = key.asymmetricKeyDetails?.modulusLength ?? 0;
  const hashBytes = HASH_BYTES[hashName];
  return pss === 'tpm' ? [hashBytes, Math.ceil((modulusBits - 1) / 8) - hashBytes - 2] : [hashBytes];
}

/** Node's side of the seam (`formats/crypto`): OpenSSL through node:crypto. */
export const nodeCrypto: Crypto = {
  hash(algorithm, bytes) {
    // As text, one character a byte: Node makes that in a third of the time that a Buffer takes.
    const text = hash(algorithm, bytes, 'binary');
    const digest = new Uint8Array(text.length);
    for (let i = 0; i < digest.length; i++) digest[i] = text.charCodeAt(i);
    return digest;
  },
  verifySignature(spki, scheme, message, signature) {
    const parameters = SCHEMES[scheme];
    if (parameters === undefined) return false;
    try {
      const accepted = acceptedKey(spki);
      if (accepted?.type !== parameters.keyType) return false;
      const { key } = accepted;
      if (parameters.pss)
        return saltLengths(key, parameters).some((saltLength) =>
          verify(parameters.hash, message, { key, padding: PSS, saltLength }, signature),
        );
      // Node's defaults are DER for ECDSA and PKCS #1 version 1.5 for RSA; a key without options is 9 us faster.
      return verify(parameters.hash, message, key, signature);
    } catch {
      // A key or signature that OpenSSL cannot read is one that does not verify.
      return false;
    }
  },
};
