import type { Duplex, Readable, Writable } from 'node:stream';
import type { ClientBytes } from '../client-bytes.ts';
import type { RequestHead } from './http-headers.ts';

/** One request of a client and the answer to it, whichever version of HTTP it came by. Its streams never have an error without a listener. */
export interface Exchange {
  readonly version: 1 | 2;
  readonly method: string;
  /** Origin-form (RFC 9112, 3.2.1), as it came. */
  readonly path: string;
  /** Whom the request is for: `:authority`, the authority of an absolute target, or `Host`. */
  readonly authority: string | undefined;
  readonly head: RequestHead;
  readonly body: Readable;
  /** What `body` brings. */
  readonly content: ClientBytes;
  readonly bodiless: boolean;
  /** A WebSocket is asked for (RFC 6455, 4.1; RFC 8441, 5). */
  readonly websocket: boolean;
  /** The answer has begun. */
  readonly started: boolean;
  readonly out: Writable;
  /** Of the body that has ended; name, value, name, value. */
  requestTrailers(): readonly string[];
  /** An interim answer (1xx but 101). */
  inform(status: number, headers: readonly string[]): void;
  /**
   * Begins the answer; its body goes to `out`.
   * @param bodiless nothing will follow: `out` is ended by this
   * @throws when it cannot be written
   */
  start(status: number, headers: string[], bodiless: boolean): void;
  /** Trailer fields of the answer, before `out` ends. */
  trail(fields: readonly string[]): void;
  /** Switches to the bytes of a WebSocket. @param headers of the app's 101 */
  tunnel(headers: string[]): Duplex;
  /** Ends it so that the client sees it is not whole. @param code of RFC 9113, 7 */
  abort(code: number): void;
  /** Calls back when it is over, whole or not. */
  onClose(over: () => void): void;
}

/** Why a client's message is not forwarded at all. */
export interface Malformed {
  readonly status: 400 | 501;
  readonly message: string;
}

/** Names that a request is for: `host`, `host:port`, `[v6]:port`; no user, no path (RFC 3986, 3.2). */
const AUTHORITY = /^[A-Za-z0-9._~!$&'()*+,;=%:[\]-]{1,255}$/;

/** What both versions of HTTP ask of a target and its authority. */
export function judgeTarget(
  method: string,
  path: string,
  authority: string | undefined,
): Malformed | undefined {
  if (!(path.startsWith('/') || (path === '*' && method === 'OPTIONS')) || path.includes('#'))
    return { status: 400, message: 'the target is no path' };
  if (authority !== undefined && !AUTHORITY.test(authority))
    return { status: 400, message: 'the request names no host, or more than one' };
  return undefined;
}
