import type { createLocalJWKSet } from 'jose';
import { type Result, success } from '../../formats/bytes/result.ts';
import type { TrustDocument } from '../../formats/evidence/trust-document.ts';
import { MAX_NAME_BYTES } from '../../formats/x509/bindings.ts';
import { ERROR_DOMAIN } from '../../names/wire.ts';
import { explain } from '../../platform/run/explain.ts';
import { type Allowed, userRevoked } from './access.ts';
import { type AccessCode, refuseAccess } from './code.ts';

const MAX_TOKEN = 8192;
/** Tokens that were found good and need not be verified again. */
const REMEMBERED = 1024;

type TokenKeys = TrustDocument['tokenKeys'];
type KeySet = ReturnType<typeof createLocalJWKSet>;

/**
 * Judges tokens of a pod with `auth: jwt`: ES256 by a key of front's that the trust document names, issued by front, with `exp` and `sub`, its
 * audience this enclave's DNS name; a token for another audience, front's own API included, is none. jose is loaded here and nowhere else, so pods with `auth: mtls` never
 * have it in memory. A signature is verified once for each set of keys; time and revocation are judged each time.
 * @param audience DNS name of the enclave
 */
export function createTokenJudge(
  audience: string,
): (token: string | undefined, trust: TrustDocument, now: number) => Promise<Result<Allowed, AccessCode>> {
  let known: { readonly text: string; readonly keys: KeySet } | undefined;
  const good = new Map<string, Allowed>();

  const keySet = async (tokenKeys: TokenKeys): Promise<KeySet> => {
    const text = JSON.stringify(tokenKeys);
    if (known?.text === text) return known.keys;
    const { createLocalJWKSet } = await import('jose');
    good.clear();
    known = { text, keys: createLocalJWKSet({ keys: tokenKeys.keys.map((key) => ({ ...key })) }) };
    return known.keys;
  };
  const verify = async (token: string, keys: KeySet, now: number): Promise<Result<Allowed, AccessCode>> => {
    const { jwtVerify } = await import('jose');
    try {
      const { payload } = await jwtVerify(token, keys, {
        algorithms: ['ES256'],
        issuer: ERROR_DOMAIN,
        audience,
        requiredClaims: ['exp', 'sub'],
        currentDate: new Date(now * 1000),
      });
      // jose asks that "sub" is there, not that it is a text (RFC 7519, 4.1.2).
      const user: unknown = payload.sub;
      if (typeof user !== 'string' || user === '' || Buffer.byteLength(user) > MAX_NAME_BYTES)
        return refuseAccess('token-invalid', 'the token names no user');
      const { exp = 0 } = payload;
      return success({ user, via: 'token', keySha256: undefined, notAfter: exp });
    } catch (error) {
      // jose's messages name claims and algorithms, never the token.
      return refuseAccess('token-invalid', `the token does not verify: ${explain(error)}`);
    }
  };

  return async (token, trust, now) => {
    if (token === undefined || token === '') return refuseAccess('token-missing', 'no bearer token was sent');
    if (token.length > MAX_TOKEN || !/^[A-Za-z0-9_.-]+$/.test(token))
      return refuseAccess('token-invalid', 'the token is no JWT');
    if (trust.tokenKeys.keys.length === 0)
      return refuseAccess('token-invalid', 'the trust document names no token key');
    const keys = await keySet(trust.tokenKeys);
    const remembered = good.get(token);
    const judged =
      remembered !== undefined && remembered.notAfter > now
        ? success(remembered)
        : await verify(token, keys, now);
    if (!judged.ok) return judged;
    const revoked = userRevoked(trust, judged.value.user);
    if (revoked !== undefined) return revoked;
    if (remembered === undefined && known?.keys === keys) {
      if (good.size >= REMEMBERED) good.clear();
      good.set(token, judged.value);
    }
    return judged;
  };
}
