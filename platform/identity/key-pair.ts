import { createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import type { SignatureScheme } from '../../formats/crypto/crypto.ts';

const CURVES = {
  p256: { namedCurve: 'P-256', scheme: 'ecdsa-sha256', hash: 'sha256' },
  p384: { namedCurve: 'P-384', scheme: 'ecdsa-sha384', hash: 'sha384' },
} as const;
export type KeyType = keyof typeof CURVES;

/** A private key, ready for what builds requests and certificates. */
export interface KeyPair {
  readonly privateKey: KeyObject;
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Uint8Array;
  readonly scheme: SignatureScheme;
  /** The DER of Ecdsa-Sig-Value over the message. */
  sign(message: Uint8Array): Uint8Array;
}

/** A new ECDSA key on P-256 or P-384. */
export function generateKey(type: KeyType = 'p256'): KeyPair {
  return keyPairOf(generateKeyPairSync('ec', { namedCurve: CURVES[type].namedCurve }).privateKey);
}

/** @throws when the key is not ECDSA P-256 or P-384 */
export function keyPairOf(privateKey: KeyObject): KeyPair {
  const curve = privateKey.asymmetricKeyDetails?.namedCurve;
  const type = curve === 'prime256v1' ? 'p256' : curve === 'secp384r1' ? 'p384' : undefined;
  if (type === undefined)
    throw new Error(`an ECDSA key on P-256 or P-384 is needed, not ${curve ?? 'another kind'}`);
  const { scheme, hash } = CURVES[type];
  return {
    privateKey,
    spki: new Uint8Array(createPublicKey(privateKey).export({ type: 'spki', format: 'der' })),
    scheme,
    sign: (message) => new Uint8Array(sign(hash, message, { key: privateKey, dsaEncoding: 'der' })),
  };
}
