import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomUUID,
} from 'node:crypto';
import { exportJWK, type JSONWebKeySet, type JWK, jwtVerify, SignJWT } from 'jose';
import { type Result, refuse, success } from '../../../formats/bytes/result.ts';
import { ERROR_DOMAIN } from '../../../names/wire.ts';
import type { Store } from '../../store/store.ts';

export const TOKEN_AUDIENCE = `${ERROR_DOMAIN}/front`;
const ISSUER = ERROR_DOMAIN;
const ALGORITHM = 'ES256';

export interface Tokens {
  /** A JWT (RFC 7519) for that user and its end in milliseconds since 1970. */
  issue(user: string, now: number): Promise<{ readonly token: string; readonly expiresAt: number }>;
  /** The same for another audience than front itself: an enclave with `auth: jwt`. */
  issueFor(
    audience: string,
    user: string,
    lifetimeMs: number,
    now: number,
  ): Promise<{ readonly token: string; readonly expiresAt: number }>;
  /** The user, or a refusal: bad signature, other audience, expired, malformed; the message does not say which key. */
  check(token: string, now: number): Promise<Result<string, 'unauthenticated'>>;
  /** The public keys (RFC 7517) for who checks tokens elsewhere. */
  readonly publicKeys: JSONWebKeySet;
}

interface Key {
  readonly id: string;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  readonly jwk: JWK;
}

/** The signing key is made once and kept in the store; the newest signs, all of them verify. */
export async function openTokens(store: Store, lifetimeMs: number, now: number): Promise<Tokens> {
  let kept = await store.tokenKeys();
  if (kept.length === 0) {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const { id } = await describe(privateKey);
    const der = privateKey.export({ format: 'der', type: 'pkcs8' });
    await store.addTokenKey({ keyId: id, privateKey: der, createdAt: now });
    kept = await store.tokenKeys();
  }
  const keys = await Promise.all(
    kept.map((each) =>
      describe(createPrivateKey({ key: Buffer.from(each.privateKey), format: 'der', type: 'pkcs8' })),
    ),
  );
  const signing = keys.at(-1);
  if (signing === undefined) throw new Error('the store kept no token key');
  const byId = new Map(keys.map((key) => [key.id, key.publicKey]));

  const issueFor: Tokens['issueFor'] = async (audience, user, lifetime, at) => {
    const issuedAt = Math.floor(at / 1000);
    const expires = issuedAt + Math.floor(lifetime / 1000);
    const token = await new SignJWT()
      .setProtectedHeader({ alg: ALGORITHM, kid: signing.id, typ: 'JWT' })
      .setIssuer(ISSUER)
      .setAudience(audience)
      .setSubject(user)
      .setIssuedAt(issuedAt)
      .setExpirationTime(expires)
      .setJti(randomUUID())
      .sign(signing.privateKey);
    return { token, expiresAt: expires * 1000 };
  };

  return {
    publicKeys: { keys: keys.map((key) => key.jwk) },
    issue: (user, at) => issueFor(TOKEN_AUDIENCE, user, lifetimeMs, at),
    issueFor,
    async check(token, at) {
      try {
        const { payload } = await jwtVerify(
          token,
          (header) => {
            const key = header.kid === undefined ? undefined : byId.get(header.kid);
            if (key === undefined) throw new Error('unknown key');
            return key;
          },
          {
            algorithms: [ALGORITHM],
            issuer: ISSUER,
            audience: TOKEN_AUDIENCE,
            typ: 'JWT',
            requiredClaims: ['sub', 'exp', 'iat'],
            currentDate: new Date(at),
          },
        );
        if (payload.sub !== undefined && payload.sub !== '') return success(payload.sub);
      } catch {
        // One answer for every reason: what is wrong with a token is nobody's business but its owner's, who logs in again.
      }
      return refuse('unauthenticated', 'the token is not valid, or no longer', 'log in again');
    },
  };
}

/** Key id: the JWK thumbprint (RFC 7638). */
async function describe(privateKey: KeyObject): Promise<Key> {
  const publicKey = createPublicKey(privateKey);
  const { kty, crv, x, y } = await exportJWK(publicKey);
  if (kty !== 'EC' || crv !== 'P-256' || x === undefined || y === undefined)
    throw new Error('a token key in the store is no P-256 key');
  const id = createHash('sha256').update(JSON.stringify({ crv, kty, x, y })).digest('base64url');
  return { id, privateKey, publicKey, jwk: { kty, crv, x, y, kid: id, alg: ALGORITHM, use: 'sig' } };
}
