import { randomUUID } from 'node:crypto';
import { decodeProtectedHeader, jwtVerify, SignJWT } from 'jose';
import { type Result, refuse, success } from '../../../formats/bytes/result.ts';
import { ERROR_DOMAIN } from '../../../names/wire.ts';
import type { Keyring, SigningKey } from './keyring.ts';

export const TOKEN_AUDIENCE = `${ERROR_DOMAIN}/front`;
const ISSUER = ERROR_DOMAIN;
const ALGORITHM = 'ES256';
/** SHA-256 in base64url. */
const KEY_ID = /^[A-Za-z0-9_-]{43}$/;

export interface IssuedToken {
  /** A JWT (RFC 7519). */
  readonly token: string;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
}

export interface Tokens {
  /** For that user, who shows it to any front. */
  issue(user: string, now: number): Promise<IssuedToken>;
  /** For another audience than front: an enclave with `auth: jwt`. Refused until the trust document names a key of this front. */
  issueFor(
    audience: string,
    user: string,
    lifetimeMs: number,
    now: number,
  ): Promise<Result<IssuedToken, 'token-key-unpublished'>>;
  /**
   * The user, or a refusal: bad signature, other audience, expired, malformed; the message does not say which. Asks the store only for
   * a key that it has not seen. @throws StoreAway
   */
  check(token: string, now: number): Promise<Result<string, 'unauthenticated'>>;
}

export function createTokens(keyring: Keyring, lifetimeMs: number): Tokens {
  const sign = async (
    key: SigningKey,
    audience: string,
    user: string,
    lifetime: number,
    at: number,
  ): Promise<IssuedToken> => {
    const issuedAt = Math.floor(at / 1000);
    const expires = issuedAt + Math.floor(lifetime / 1000);
    const token = await new SignJWT()
      .setProtectedHeader({ alg: ALGORITHM, kid: key.id, typ: 'JWT' })
      .setIssuer(ISSUER)
      .setAudience(audience)
      .setSubject(user)
      .setIssuedAt(issuedAt)
      .setExpirationTime(expires)
      .setJti(randomUUID())
      .sign(key.privateKey);
    return { token, expiresAt: expires * 1000 };
  };

  return {
    issue: (user, at) => sign(keyring.signing, TOKEN_AUDIENCE, user, lifetimeMs, at),

    async issueFor(audience, user, lifetime, at) {
      const key = keyring.signingForEnclaves;
      if (key !== undefined) return success(await sign(key, audience, user, lifetime, at));
      return refuse(
        'token-key-unpublished',
        'sidecars do not know this front’s key yet: the trust document does not name it',
        'try again in a few seconds; when it lasts, look at the certificate service',
      );
    },

    async check(token, at) {
      const id = keyIdOf(token);
      const key = id === undefined ? undefined : await keyring.find(id);
      if (key !== undefined) {
        try {
          const { payload } = await jwtVerify(token, key.publicKey, {
            algorithms: [ALGORITHM],
            issuer: ISSUER,
            audience: TOKEN_AUDIENCE,
            typ: 'JWT',
            requiredClaims: ['sub', 'exp', 'iat'],
            currentDate: new Date(at),
          });
          if (payload.sub !== undefined && payload.sub !== '') return success(payload.sub);
        } catch {
          // One answer for every reason: what is wrong with a token is nobody's business but its owner's, who logs in again.
        }
      }
      return refuse('unauthenticated', 'the token is not valid, or no longer', 'log in again');
    },
  };
}

function keyIdOf(token: string): string | undefined {
  try {
    const { kid } = decodeProtectedHeader(token);
    return kid !== undefined && KEY_ID.test(kid) ? kid : undefined;
  } catch {
    return undefined;
  }
}
