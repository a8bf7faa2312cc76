/** What of a request's head decides how it is forwarded, and all that is forwarded as it came. */
export interface RequestHead {
  /** Name, value, name, value: without hop-by-hop, framing and identity fields, Host and credentials. */
  readonly headers: string[];
  /** Of `Host`; undefined when there is none, an empty text when there is more than one. */
  readonly host: string | undefined;
  readonly contentLength: string | undefined;
  readonly transferEncoding: string | undefined;
  readonly expect: string | undefined;
  /** Another protocol is asked for. */
  readonly upgrade: boolean;
  readonly authorization: string | undefined;
  /** Of `X-Enclave-Token`, the one field of our prefix that a client may send. */
  readonly token: string | undefined;
  /** Lower case, without its parameters. */
  readonly contentType: string;
}

type Kind =
  | 'connection'
  | 'content-length'
  | 'content-type'
  | 'cookie'
  | 'authorization'
  | 'dropped'
  | 'expect'
  | 'host'
  | 'token'
  | 'transfer-encoding'
  | 'upgrade';

const DROPPED = 'dropped';
/**
 * Fields with a meaning of their own here. Dropped are those of this connection (RFC 9110, 7.6.1), and those that say who or where the client is
 * and are believed by apps, so never taken from outside.
 */
const KINDS: ReadonlyMap<string, Kind> = new Map<string, Kind>([
  ['connection', 'connection'],
  ['content-length', 'content-length'],
  ['content-type', 'content-type'],
  ['cookie', 'cookie'],
  ['authorization', 'authorization'],
  ['expect', 'expect'],
  ['host', 'host'],
  ['transfer-encoding', 'transfer-encoding'],
  ['upgrade', 'upgrade'],
  ['x-enclave-token', 'token'],
  ['http2-settings', DROPPED],
  ['keep-alive', DROPPED],
  ['proxy-authenticate', DROPPED],
  ['proxy-authorization', DROPPED],
  ['proxy-connection', DROPPED],
  ['te', DROPPED],
  ['trailer', DROPPED],
  ['forwarded', DROPPED],
  ['x-real-ip', DROPPED],
  ['x-client-ip', DROPPED],
  ['true-client-ip', DROPPED],
]);

function kindOf(name: string): Kind | undefined {
  const kind = KINDS.get(name);
  if (kind !== undefined) return kind;
  if (name.startsWith('x-') && (name.startsWith('x-enclave-') || name.startsWith('x-forwarded-')))
    return DROPPED;
  // Servers that hand fields on as variables make "_" of "-", some of anything: such a spelling of a field that means something here is nobody's.
  if (/[^a-z0-9-]/.test(name) && kindOf(name.replaceAll(/[^a-z0-9]/g, '-')) !== undefined) return DROPPED;
  return undefined;
}

/** The fields that a `Connection` field names, in lower case. Those that frame or route a message, or say who it is from, are kept apart and cannot be taken away by it. */
function namedBy(connection: string): ReadonlySet<string> | undefined {
  if (connection === '' || /^(?:keep-alive|close)$/i.test(connection)) return undefined;
  return new Set(connection.split(',').map((name) => name.trim().toLowerCase()));
}

function without(headers: string[], named: ReadonlySet<string>): string[] {
  const left: string[] = [];
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i] ?? '';
    if (!named.has(name.toLowerCase())) left.push(name, headers[i + 1] ?? '');
  }
  return left;
}

/** Reads a request's head, as name, value, name, value; pseudo-header fields (RFC 9113, 8.3) are left out. */
export function readRequestHead(raw: readonly string[]): RequestHead {
  let headers: string[] = [];
  let [connection, cookie, contentType] = ['', '', ''];
  let host: string | undefined;
  let contentLength: string | undefined;
  let transferEncoding: string | undefined;
  let expect: string | undefined;
  let authorization: string | undefined;
  let token: string | undefined;
  let upgrade = false;
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i] ?? '';
    if (name.charCodeAt(0) === 58) continue;
    const value = raw[i + 1] ?? '';
    const kind = kindOf(name.toLowerCase());
    if (kind === undefined) headers.push(name, value);
    else if (kind === 'content-type') {
      headers.push(name, value);
      contentType = value;
    } else if (kind === 'connection') connection = connection === '' ? value : `${connection},${value}`;
    else if (kind === 'host') host = host === undefined ? value : '';
    else if (kind === 'content-length') contentLength = value;
    else if (kind === 'transfer-encoding')
      transferEncoding = transferEncoding === undefined ? value : `${transferEncoding}, ${value}`;
    else if (kind === 'expect') expect = value;
    else if (kind === 'upgrade') upgrade = true;
    // Cookies that HTTP/2 has split are one field again (RFC 9113, 8.2.3).
    else if (kind === 'cookie') cookie = cookie === '' ? value : `${cookie}; ${value}`;
    else if (kind === 'authorization') authorization = authorization === undefined ? value : '';
    else if (kind === 'token') token = token === undefined ? value : '';
  }
  if (cookie !== '') headers.push('cookie', cookie);
  const named = namedBy(connection);
  if (named !== undefined) headers = without(headers, named);
  const semicolon = contentType.indexOf(';');
  contentType = (semicolon < 0 ? contentType : contentType.slice(0, semicolon)).trim().toLowerCase();
  return {
    headers,
    host,
    contentLength,
    transferEncoding,
    expect,
    upgrade,
    authorization,
    token,
    contentType,
  };
}

/** Fields of this connection in an answer; its length stays, and its framing is made anew. */
const ANSWER_DROPPED: ReadonlySet<string> = new Set([
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

/** The app's head for the client, as name, value, name, value. */
export function answerHeaders(raw: readonly string[]): string[] {
  let headers: string[] = [];
  let connection = '';
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i] ?? '';
    if (name.charCodeAt(0) === 58) continue;
    const lower = name.toLowerCase();
    if (!ANSWER_DROPPED.has(lower)) headers.push(lower, raw[i + 1] ?? '');
    else if (lower === 'connection') connection += `${raw[i + 1]},`;
  }
  const named = namedBy(connection.slice(0, -1));
  if (named !== undefined) headers = without(headers, named);
  return headers;
}

/** Trailer fields as they may travel on: none that frames, routes, or says who somebody is (RFC 9110, 6.5.1). */
export function trailerFields(raw: readonly string[]): string[] {
  const fields: string[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = (raw[i] ?? '').toLowerCase();
    if (name.charCodeAt(0) !== 58 && kindOf(name) === undefined) fields.push(name, raw[i + 1] ?? '');
  }
  return fields;
}
