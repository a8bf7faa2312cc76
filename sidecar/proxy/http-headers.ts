import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import type { Allowed } from '../access/access.ts';

/** Hop-by-hop fields (RFC 9110, 7.6.1): of this connection, never forwarded. */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);
/** Frame the message, or route it: no `Connection` field takes them away. A body without its length would be read as a request of its own. */
const NEVER_DROPPED: ReadonlySet<string> = new Set(['content-length', 'host']);
/** What we say of the client, and what others might: believed by apps, so never taken from outside. */
const IDENTITY: ReadonlySet<string> = new Set([
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-client-cert',
  'x-real-ip',
]);
const PREFIX = 'x-enclave-';

function isOurs(name: string): boolean {
  // Many servers read "_" as "-".
  const normal = name.toLowerCase().replaceAll('_', '-');
  return normal.startsWith(PREFIX) || IDENTITY.has(normal);
}

function hopByHop(connection: string | undefined): (name: string) => boolean {
  const named = new Set((connection ?? '').split(',').map((name) => name.trim().toLowerCase()));
  for (const name of NEVER_DROPPED) named.delete(name);
  return (name) => HOP_BY_HOP.has(name.toLowerCase()) || named.has(name.toLowerCase());
}

/** Visible ASCII stays, the rest is percent-encoded: a name never becomes two header fields. */
function safe(text: string): string {
  return text.replace(/[^\x21-\x24\x26-\x7e]/gu, (character) => encodeURIComponent(character.toWellFormed()));
}

/** The client's header for the app: without hop-by-hop and identity fields, with our own identity fields. */
export function requestHeaders(
  request: IncomingMessage,
  enclave: string,
  allowed: Allowed,
): OutgoingHttpHeaders {
  const dropped = hopByHop(request.headers.connection);
  const outgoing: OutgoingHttpHeaders = Object.create(null);
  for (const [name, values] of Object.entries(request.headersDistinct))
    if (values !== undefined && !dropped(name) && !isOurs(name)) outgoing[name] = values;
  // One host, as Node read it; a second one is nobody's.
  outgoing.host = request.headers.host ?? enclave;
  // A body of unknown length stays one; Node frames it anew.
  if (request.headers['transfer-encoding'] !== undefined) outgoing['transfer-encoding'] = 'chunked';
  outgoing['x-enclave-id'] = safe(enclave);
  outgoing['x-enclave-user'] = safe(allowed.user);
  outgoing['x-enclave-access'] = allowed.via;
  if (allowed.keySha256 !== undefined) outgoing['x-enclave-key-sha256'] = allowed.keySha256;
  return outgoing;
}

/** The app's header for the client, as name, value, name, value. */
export function responseHeaders(response: IncomingMessage): string[] {
  const dropped = hopByHop(response.headers.connection);
  const headers: string[] = [];
  for (let i = 0; i + 1 < response.rawHeaders.length; i += 2) {
    const [name, value] = [response.rawHeaders[i] ?? '', response.rawHeaders[i + 1] ?? ''];
    if (!dropped(name)) headers.push(name, value);
  }
  return headers;
}
