import { type Result, refuse, success } from '../../formats/bytes/result.ts';
import type { TrustDocument } from '../../formats/evidence/trust-document.ts';
import { explain } from '../../platform/run/explain.ts';
import type { Allowed } from './access.ts';
import type { AccessCode } from './code.ts';

/**
 * Judges a bearer token of a pod with `auth: jwt`: ES256 by a key of front's that the trust document names, with `exp` and `sub`, its
 * audience this enclave's DNS name; a token for another audience, front's own API included, is none. jose is loaded here
 * and nowhere else, so pods with `auth: mtls` never have it in memory.
 * @param authorization the request's header
 */
export async function judgeToken(
  authorization: string | undefined,
  trust: TrustDocument,
  audience: string,
  now: number,
): Promise<Result<Allowed, AccessCode>> {
  const remedy = 'Send "authorization: Bearer" with a token for this enclave.';
  const token = /^Bearer ([A-Za-z0-9_.-]{1,8192})$/i.exec(authorization ?? '')?.[1];
  if (token === undefined) return refuse('token-missing', 'no bearer token was sent', remedy);
  if (trust.tokenKeys.keys.length === 0)
    return refuse('token-invalid', 'the trust document names no token key', 'Ask the operator.');
  const { createLocalJWKSet, jwtVerify } = await import('jose');
  try {
    const keys = createLocalJWKSet({ keys: trust.tokenKeys.keys.map((key) => ({ ...key })) });
    const { payload } = await jwtVerify(token, keys, {
      algorithms: ['ES256'],
      audience,
      requiredClaims: ['exp', 'sub'],
      currentDate: new Date(now * 1000),
    });
    const user = payload.sub ?? '';
    if (trust.revoked.users.some((each) => each.user === user))
      return refuse('user-revoked', 'the user was revoked', 'Ask the operator.');
    return success({ user, via: 'token', keySha256: undefined, notAfter: payload.exp ?? 0 });
  } catch (error) {
    // jose's messages name claims and algorithms, never the token.
    return refuse('token-invalid', `the token does not verify: ${explain(error)}`, remedy);
  }
}
