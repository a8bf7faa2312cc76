import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { MEDIA_TYPES } from '../../../names/wire.ts';
import { HeadwiseSocket } from '../../../platform/http/headwise-socket.ts';
import { problemDocument } from '../../../platform/http/problem.ts';
import { closeSoon } from './close-soon.ts';
import type { Exchange, Malformed } from './exchange.ts';
import type { HttpClient } from './http-client.ts';
import { Http1Exchange, responseFor } from './http1-exchange.ts';

export interface HttpServerOptions {
  /** Milliseconds. */
  readonly idleTimeout: number;
  /** Until a client's first request. */
  readonly requestTimeout: number;
  /** Takes one request; `over` is called when it is over. Returns a way to end it for want of time. */
  handle(exchange: Exchange, client: HttpClient, malformed: Malformed | undefined, over: () => void): Handled;
}

export interface Handled {
  /** Nothing has come either way for too long. */
  timeOut(): void;
}

export interface HttpServer {
  /** Serves one connection. */
  serve(client: HttpClient): void;
  /** No further request of this connection is taken. */
  dismiss(client: HttpClient): void;
  /** Connections end as soon as they have no request under way. */
  drain(): void;
}

interface Connection {
  readonly client: HttpClient;
  readonly socket: HeadwiseSocket<TLSSocket>;
  readonly impatience: NodeJS.Timeout;
  readonly waiting: Http1Exchange[];
  current: { readonly exchange: Http1Exchange; readonly handled: Handled } | undefined;
  last: boolean;
}

const MALFORMED = {
  status: 400,
  reason: 'Bad Request',
  message: 'this is no HTTP/1.1 that can be forwarded',
};
const TOO_LARGE = {
  status: 431,
  reason: 'Request Header Fields Too Large',
  message: 'the header is over 32 KiB',
};

/** The answer to what the parser gave up on. */
function refusalOf(error: NodeJS.ErrnoException): string {
  const { status, reason, message } = error.code === 'HPE_HEADER_OVERFLOW' ? TOO_LARGE : MALFORMED;
  const remedy = 'Compare the request with RFC 9112.';
  const body = JSON.stringify(problemDocument(status, { code: 'request-malformed', message, remedy }));
  const head = `HTTP/1.1 ${status} ${reason}\r\nconnection: close\r\ncontent-type: ${MEDIA_TYPES.problem}\r\n`;
  return `${head}content-length: ${body.length}\r\n\r\n${body}`;
}

/** HTTP/1.1 of clients. Requests of a connection are taken one after the other, however many were sent at once. */
export function createHttp1Server(options: HttpServerOptions): HttpServer {
  const connections = new Map<TLSSocket, Connection>();
  let draining = false;
  const of = (socket: Duplex): Connection | undefined =>
    socket instanceof HeadwiseSocket ? connections.get(socket.line) : undefined;

  const next = (connection: Connection): void => {
    connection.current = undefined;
    const { socket } = connection;
    if (connection.last || (draining && connection.waiting.length === 0)) {
      connection.waiting.length = 0;
      closeSoon(socket);
      return;
    }
    const exchange = connection.waiting.shift();
    if (exchange === undefined) return;
    if (connection.waiting.length === 0) socket.release();
    begin(connection, exchange);
  };
  const begin = (connection: Connection, exchange: Http1Exchange): void => {
    const malformed = exchange.malformed();
    // What comes after it may be no request, or another protocol's.
    if (malformed !== undefined || exchange.head.upgrade) connection.last = true;
    exchange.last = draining || connection.last;
    // Set before the request is taken: it may be over at once.
    let done = false;
    const over = (): void => {
      done = true;
      if (connection.current?.exchange === exchange) next(connection);
    };
    connection.current = { exchange, handled: { timeOut: () => exchange.abort() } };
    const handled = options.handle(exchange, connection.client, malformed, over);
    if (!done) connection.current = { exchange, handled };
  };
  const take = (incoming: IncomingMessage, response: ServerResponse, upgrade?: Buffer): void => {
    const { socket } = incoming;
    const connection = of(socket);
    if (connection === undefined) return void socket.destroy();
    if (socket.destroyed) return;
    clearTimeout(connection.impatience);
    // Node has let go of the connection by now: an answer before this one could not be written to its end.
    if (upgrade !== undefined && connection.current !== undefined) {
      socket.destroy();
      return;
    }
    // Behind the last request nothing is taken.
    if (connection.last) return;
    let exchange: Http1Exchange;
    try {
      exchange = new Http1Exchange(incoming, response, upgrade);
    } catch {
      // An answer that is not ours stands before this one: Node gives it itself where it takes no request.
      socket.destroy();
      return;
    }
    if (connection.current === undefined) {
      begin(connection, exchange);
      return;
    }
    connection.waiting.push(exchange);
    connection.socket.hold();
  };

  const server = createServer({
    maxHeaderSize: 32_768,
    keepAliveTimeout: options.idleTimeout,
    insecureHTTPParser: false,
    // An upload may take its time while something comes.
    requestTimeout: 0,
    // Whatever else somebody wants to switch to is answered in HTTP/1.1 (RFC 9110, 7.8).
    shouldUpgradeCallback: ({ headers, method }) =>
      method === 'GET' && headers.upgrade?.toLowerCase() === 'websocket',
  });
  // As many as fit into the header's size: none is dropped unseen.
  server.maxHeadersCount = 0;
  // Node sets a connection's timeout anew between requests, and would destroy what nobody listens for.
  server.timeout = options.idleTimeout;
  server.on('timeout', () => {});
  server.on('request', (incoming, response) => take(incoming, response));
  server.on('checkContinue', (incoming, response) => take(incoming, response));
  // What else may be expected is for the app to say (RFC 9110, 10.1.1). Node would answer 417 past all that is counted here.
  server.on('checkExpectation', (incoming, response) => take(incoming, response));
  server.on('upgrade', (incoming, _socket, head) => take(incoming, responseFor(incoming), head));
  server.on('clientError', (error, socket) => {
    const connection = of(socket);
    if (connection === undefined || connection.current !== undefined || !socket.writable)
      return void socket.destroy();
    socket.end(refusalOf(error));
    return undefined;
  });

  return {
    serve: (client) => {
      const { socket } = client;
      // A client that never sends a whole header must not hold a connection.
      const impatience = setTimeout(() => socket.destroy(), options.requestTimeout);
      const connection: Connection = {
        client,
        socket: new HeadwiseSocket(socket),
        impatience,
        waiting: [],
        current: undefined,
        last: false,
      };
      connections.set(socket, connection);
      socket.setTimeout(options.idleTimeout);
      socket.on('timeout', () => {
        if (connection.current === undefined) socket.destroy();
        else connection.current.handled.timeOut();
      });
      socket.once('close', () => {
        clearTimeout(impatience);
        connections.delete(socket);
      });
      server.emit('connection', connection.socket);
    },
    dismiss: ({ socket }) => {
      const connection = connections.get(socket);
      if (connection === undefined) return;
      connection.last = true;
      if (connection.current !== undefined) connection.current.exchange.last = true;
    },
    drain: () => {
      draining = true;
      for (const { socket, current } of connections.values()) {
        if (current === undefined) closeSoon(socket);
        else current.exchange.last = true;
      }
    },
  };
}
