import { createHash, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import type { JWK } from 'jose';

/** A public key that tokens verify with. */
export interface TokenKey {
  /** JWK thumbprint (RFC 7638). */
  readonly id: string;
  readonly publicKey: KeyObject;
  /** RFC 7517, nothing private. */
  readonly jwk: JWK;
}

/** P-256, for ES256. The private half is in this process's memory and nowhere else. */
export function makeTokenKey(): { readonly key: TokenKey; readonly privateKey: KeyObject } {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { key: describe(publicKey), privateKey };
}

/** @param spki SPKI DER of a P-256 key; throws on another */
export function readTokenKey(spki: Uint8Array): TokenKey {
  return describe(createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' }));
}

function describe(publicKey: KeyObject): TokenKey {
  const { kty, crv, x, y } = publicKey.export({ format: 'jwk' });
  if (kty !== 'EC' || crv !== 'P-256' || x === undefined || y === undefined)
    throw new Error('a token key in the store is no P-256 key');
  const id = createHash('sha256').update(JSON.stringify({ crv, kty, x, y })).digest('base64url');
  return { id, publicKey, jwk: { kty, crv, x, y, kid: id, alg: 'ES256', use: 'sig' } };
}
