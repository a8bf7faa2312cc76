import { isJsonObject, parseJson } from '../../formats/bytes/json.ts';
import { type Result, success } from '../../formats/bytes/result.ts';
import type { TokenKey } from '../../formats/evidence/trust-document.ts';
import { type CertsCode, refuseCerts } from '../code.ts';

const MAX_BYTES = 16 * 1024;
const MAX_KEYS = 16;
const COORDINATE = /^[A-Za-z0-9_-]{43}$/;
const MEMBERS = new Set(['kty', 'crv', 'x', 'y', 'kid', 'alg', 'use']);

/** Front's public keys: a JSON Web Key Set (RFC 7517) of P-256 keys for ES256 with an id each, and nothing private in it. */
export function parseTokenKeys(jwks: string): Result<readonly TokenKey[], CertsCode> {
  const no = (what: string) =>
    refuseCerts(
      'token-keys-invalid',
      `the key set: ${what}`,
      'send 1 to 16 public ES256 keys with a kid each',
    );
  const parsed = parseJson(jwks, { maxBytes: MAX_BYTES, maxDepth: 3 });
  if (!parsed.ok) return no(parsed.message);
  const keys = isJsonObject(parsed.value) ? parsed.value['keys'] : undefined;
  if (!Array.isArray(keys) || keys.length < 1 || keys.length > MAX_KEYS) return no(`1 to ${MAX_KEYS} keys`);
  const read: TokenKey[] = [];
  for (const key of keys) {
    if (!isJsonObject(key)) return no('a key is an object');
    const foreign = Object.keys(key).find((member) => !MEMBERS.has(member));
    if (foreign !== undefined) return no(`member ${foreign}${foreign === 'd' ? ' is a private key' : ''}`);
    const { kty, crv, x, y, kid, alg, use } = key;
    if (kty !== 'EC' || crv !== 'P-256') return no('EC keys on P-256');
    if (typeof x !== 'string' || typeof y !== 'string' || !COORDINATE.test(x) || !COORDINATE.test(y))
      return no('x and y are base64url of 32 bytes');
    if (typeof kid !== 'string' || !/^[^\p{Cc}]{1,253}$/u.test(kid)) return no('a kid each');
    if (read.some((each) => each.kid === kid)) return no(`kid ${kid} is there twice`);
    if ((alg !== undefined && alg !== 'ES256') || (use !== undefined && use !== 'sig'))
      return no('ES256 for sig');
    read.push({ kty, crv, x, y, kid, ...(alg && { alg: 'ES256' }), ...(use && { use: 'sig' }) });
  }
  return success(read);
}
