/** The token of an `authorization` field (RFC 6750, 2.1); undefined when it holds none. What the token says is judged by others. */
export function bearerToken(authorization: string | undefined): string | undefined {
  return /^Bearer +([^ ]+) *$/i.exec(authorization ?? '')?.[1];
}
