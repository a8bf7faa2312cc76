import { constants, type ServerHttp2Stream } from 'node:http2';
import type { Duplex } from 'node:stream';
import { ClientBytes } from '../client-bytes.ts';
import { type Exchange, judgeTarget, type Malformed } from './exchange.ts';
import { headerObject, sendTrailers } from './header-object.ts';
import { type RequestHead, readRequestHead } from './http-headers.ts';

/** The pseudo-header fields of a request (RFC 9113, 8.3.1; RFC 8441, 4). */
export interface PseudoFields {
  readonly ':method'?: string | undefined;
  readonly ':path'?: string | undefined;
  readonly ':authority'?: string | undefined;
  readonly ':protocol'?: string | undefined;
}

/** A request over HTTP/2. */
export class Http2Exchange implements Exchange {
  readonly version = 2;
  readonly method: string;
  readonly path: string;
  readonly authority: string | undefined;
  readonly head: RequestHead;
  readonly body: ServerHttp2Stream;
  readonly content: ClientBytes;
  readonly bodiless: boolean;
  readonly websocket: boolean;
  readonly #protocol: string | undefined;
  #trailersIn: readonly string[] = [];
  #trailersOut: readonly string[] = [];

  constructor(stream: ServerHttp2Stream, pseudo: PseudoFields, raw: readonly string[]) {
    this.body = stream;
    this.content = new ClientBytes(stream);
    this.#protocol = pseudo[':protocol'];
    this.websocket = pseudo[':method'] === 'CONNECT' && this.#protocol === 'websocket';
    this.method = this.websocket ? 'GET' : (pseudo[':method'] ?? '');
    this.path = pseudo[':path'] ?? '';
    this.head = readRequestHead(raw);
    this.authority = pseudo[':authority'] ?? this.head.host;
    this.bodiless = stream.endAfterHeaders;
    stream.on('error', () => {});
    stream.on('trailers', (_headers, _flags, rawTrailers: readonly string[]) => {
      this.#trailersIn = rawTrailers;
    });
  }

  malformed(): Malformed | undefined {
    const { host } = this.head;
    if (this.method === 'CONNECT')
      return { status: 501, message: 'CONNECT is here for WebSockets alone (RFC 8441)' };
    // The app sees one host; which of two, the client does not get to choose (RFC 9113, 8.3.1).
    if (host !== undefined && host !== this.authority)
      return { status: 400, message: 'Host and :authority differ' };
    if (!/^[A-Z][A-Z-]{0,31}$/.test(this.method)) return { status: 501, message: 'the method is unknown' };
    return judgeTarget(this.method, this.path, this.authority);
  }

  get started(): boolean {
    return this.body.headersSent;
  }

  get out(): ServerHttp2Stream {
    return this.body;
  }

  requestTrailers(): readonly string[] {
    return this.#trailersIn;
  }

  inform(status: number, headers: readonly string[]): void {
    if (this.body.headersSent || this.body.destroyed || this.body.closed) return;
    // A hint may be lost; what Node refuses to write is no reason to end a request.
    try {
      this.body.additionalHeaders({ ...headerObject(headers), ':status': status });
    } catch {}
  }

  start(status: number, headers: string[], bodiless: boolean): void {
    const { body } = this;
    body.respond([':status', String(status), ...headers], {
      endStream: bodiless,
      waitForTrailers: !bodiless,
    });
    if (bodiless) {
      this.#dismiss();
      return;
    }
    body.once('wantTrailers', () => {
      sendTrailers(body, this.#trailersOut);
      this.#dismiss();
    });
  }

  /** When the answer is whole before the request is, the client need not send the rest (RFC 9113, 8.1). */
  #dismiss(): void {
    if (this.bodiless || this.body.readableEnded) return;
    // After what ends the answer has gone out: a reset would overtake it.
    setImmediate(() => this.body.close(constants.NGHTTP2_NO_ERROR));
  }

  trail(fields: readonly string[]): void {
    this.#trailersOut = fields;
  }

  tunnel(headers: string[]): Duplex {
    const at = headers.indexOf('sec-websocket-accept');
    if (at >= 0) headers.splice(at, 2);
    this.body.respond([':status', '200', ...headers]);
    return this.body;
  }

  abort(code: number): void {
    this.body.close(code);
  }

  onClose(over: () => void): void {
    this.body.once('close', over);
  }
}
