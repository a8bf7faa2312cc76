import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { HeadwiseSocket } from '../../../platform/http/headwise-socket.ts';
import { ClientBytes } from '../client-bytes.ts';
import { closeSoon } from './close-soon.ts';
import { type Exchange, judgeTarget, type Malformed } from './exchange.ts';
import { headerPairs } from './header-pairs.ts';
import { type RequestHead, readRequestHead } from './http-headers.ts';

/** How long what a client still sends is read and thrown away after its answer, so that the answer is not lost in a reset. */
const LINGER_MS = 5000;

/** A request over HTTP/1.1. */
export class Http1Exchange implements Exchange {
  readonly version = 1;
  readonly method: string;
  readonly path: string;
  readonly authority: string | undefined;
  readonly head: RequestHead;
  readonly body: IncomingMessage;
  readonly content: ClientBytes;
  readonly bodiless: boolean;
  readonly websocket: boolean;
  readonly out: ServerResponse;
  /** No other request comes on this connection. */
  last = false;
  #over: (() => void) | undefined;

  /** @param upgrade bytes that came after the head of a request that asks for a WebSocket */
  constructor(incoming: IncomingMessage, response: ServerResponse, upgrade?: Buffer) {
    this.body = incoming;
    this.content = new ClientBytes(incoming);
    this.out = response;
    this.method = incoming.method ?? '';
    this.head = readRequestHead(incoming.rawHeaders);
    const url = incoming.url ?? '';
    // An absolute target overrides Host (RFC 9112, 3.2.2); what the app gets is the same in both forms.
    const absolute = url.startsWith('/') ? null : /^https?:\/\/([^/?#]*)([^#]*)$/i.exec(url);
    const rest = absolute?.[2] ?? '';
    this.path = absolute === null ? url : rest.startsWith('/') ? rest : `/${rest}`;
    this.authority = absolute === null || this.head.host === '' ? this.head.host : absolute[1];
    this.bodiless = this.head.contentLength === undefined && this.head.transferEncoding === undefined;
    this.websocket = upgrade !== undefined;
    incoming.on('error', () => {});
    response.on('error', () => {});
    if (upgrade !== undefined) {
      response.assignSocket(incoming.socket);
      response.shouldKeepAlive = false;
      // Node has let go of the connection: nobody reads it any more, or would see its end.
      if (incoming.socket instanceof HeadwiseSocket) incoming.socket.hold();
      response.once('finish', () => closeSoon(incoming.socket));
      if (upgrade.length > 0) incoming.socket.unshift(upgrade);
    }
  }

  malformed(): Malformed | undefined {
    const encoding = this.head.transferEncoding;
    if (encoding !== undefined && encoding.toLowerCase() !== 'chunked')
      return { status: 501, message: 'the only transfer coding here is chunked' };
    if (this.websocket && !this.bodiless)
      return { status: 400, message: 'a WebSocket is asked for without a body' };
    return judgeTarget(this.method, this.path, this.authority);
  }

  get started(): boolean {
    return this.out.headersSent;
  }

  requestTrailers(): readonly string[] {
    return this.body.rawTrailers;
  }

  inform(status: number, headers: readonly string[]): void {
    if (this.out.headersSent || this.out.destroyed) return;
    if (status === 100) this.out.writeContinue();
    if (status !== 103) return;
    const links = headers.filter((_, i) => headers[i - 1] === 'link' && i % 2 === 1);
    // Node writes links of a certain form only; a hint may be lost.
    try {
      if (links.length > 0) this.out.writeEarlyHints({ link: links });
    } catch {}
  }

  start(status: number, headers: string[], bodiless: boolean): void {
    if (this.last) headers.push('connection', 'close');
    // Without a reason phrase of the app's: it says nothing (RFC 9112, 4), and may hold what cannot be written.
    this.out.writeHead(status, headers);
    if (bodiless) this.out.end();
  }

  trail(fields: readonly string[]): void {
    if (!this.out.chunkedEncoding) return;
    // What Node refuses to write is left out: the answer is whole without.
    try {
      this.out.addTrailers(headerPairs(fields));
    } catch {}
  }

  tunnel(headers: string[]): Duplex {
    const { socket } = this.body;
    let head = 'HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n';
    for (let i = 0; i + 1 < headers.length; i += 2) head += `${headers[i]}: ${headers[i + 1]}\r\n`;
    this.out.detachSocket(socket);
    if (socket instanceof HeadwiseSocket) socket.release();
    socket.write(`${head}\r\n`, 'latin1');
    socket.once('close', () => this.#over?.());
    return socket;
  }

  abort(): void {
    this.out.destroy();
    this.body.socket.destroy();
  }

  onClose(over: () => void): void {
    this.#over = over;
    this.out.once('close', () => {
      const { body } = this;
      if (this.websocket || body.complete || body.destroyed) return over();
      // The answer came before the end of the request.
      this.content.discard();
      const timer = setTimeout(() => body.socket.destroy(), LINGER_MS);
      body.once('close', () => clearTimeout(timer));
      return over();
    });
  }
}

/** The response of a request that was taken out of HTTP's hands: an upgrade. */
export function responseFor(incoming: IncomingMessage): ServerResponse {
  return new ServerResponse(incoming);
}
