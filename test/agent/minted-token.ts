import { createPrivateKey } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { decodeJwt, decodeProtectedHeader, type JWTPayload, SignJWT } from 'jose';

/**
 * A service account token that says something else than the one it is made from, signed by the API server's own key: what
 * TokenRequest would not give, an expired one for example.
 */
export async function mintToken(
  keyFile: string,
  like: string,
  change: (claims: JWTPayload) => JWTPayload,
): Promise<string> {
  const old = decodeJwt(like);
  const { kid } = decodeProtectedHeader(like);
  const key = createPrivateKey(await readFile(keyFile, 'utf8'));
  return new SignJWT({ ...old, ...change(old) })
    .setProtectedHeader({ alg: 'ES256', ...(kid !== undefined && { kid }) })
    .sign(key);
}
