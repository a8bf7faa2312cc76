import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import type { SignatureScheme } from '../../formats/crypto/crypto.ts';
import { pkcs8Pem } from './pkcs8-pem.ts';

/** The enclave's own key: made here, never written, in nobody else's hands. */
export interface KeyPair {
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Uint8Array;
  readonly scheme: SignatureScheme;
  /** ECDSA in DER (RFC 3279). */
  sign(message: Uint8Array): Uint8Array;
  /**
   * Hands the key out as PEM exactly once, for the TLS context; the bytes are zero when `use` has returned. OpenSSL's own
   * copy lives as long as the context.
   */
  spend<T>(use: (pem: Buffer) => T): T;
}

const TYPES = {
  p256: { namedCurve: 'P-256', hash: 'sha256', scheme: 'ecdsa-sha256' },
  p384: { namedCurve: 'P-384', hash: 'sha384', scheme: 'ecdsa-sha384' },
} as const;

export function createKeyPair(type: keyof typeof TYPES): KeyPair {
  const { namedCurve, hash, scheme } = TYPES[type];
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve });
  let held: KeyObject | undefined = privateKey;
  return {
    spki: publicKey.export({ type: 'spki', format: 'der' }),
    scheme,
    sign: (message) => {
      if (held === undefined) throw new Error('the key was given to its TLS context already');
      return sign(hash, message, held);
    },
    spend: (use) => {
      if (held === undefined) throw new Error('the key was given to its TLS context already');
      const pem = pkcs8Pem(held);
      held = undefined;
      try {
        return use(pem);
      } finally {
        pem.fill(0);
      }
    },
  };
}
