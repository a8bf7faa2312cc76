/**
 * Whether a value of `authorization`, of whatever scheme, holds a JWT (RFC 7519) for this audience. Nothing is verified: a token that has ended,
 * or is signed by another, names its audience as well, and none of them is the app's.
 */
export function holdsTokenFor(audience: string, authorization: string): boolean {
  return authorization.split(/[^\w.-]+/).some((word) => {
    const [, payload = '', signature] = word.split('.');
    return signature !== undefined && audiencesOf(payload).includes(audience);
  });
}

function audiencesOf(payload: string): readonly unknown[] {
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString());
    if (typeof claims !== 'object' || claims === null || !('aud' in claims)) return [];
    return Array.isArray(claims.aud) ? claims.aud : [claims.aud];
  } catch {
    return [];
  }
}
