import { performServerHandshake, type ServerHttp2Session } from 'node:http2';
import type { TLSSocket } from 'node:tls';
import { closeSoon } from './close-soon.ts';
import type { HttpClient } from './http-client.ts';
import type { Handled, HttpServer, HttpServerOptions } from './http1-server.ts';
import { Http2Exchange, type PseudoFields } from './http2-exchange.ts';

const STREAMS = 100;
/** Bytes that a client may send before they are read, a stream and a connection. */
const STREAM_WINDOW = 65_535;
const CONNECTION_WINDOW = 1_048_576;
/** Streams that a client may open and reset at once, which are as many as it may have, and then a second: what rapid reset (CVE-2023-44487) lives on. */
const RESETS = { streamResetBurst: 100, streamResetRate: 20 };

interface Connection {
  readonly session: ServerHttp2Session;
  readonly running: Set<Handled>;
  dismissed: boolean;
}

/**
 * HTTP/2 of clients. nghttp2 bounds by itself what no request needs: a header of more than 32 KiB, CONTINUATION frames without end, outstanding
 * settings and pings, invalid frames; it ends such a connection.
 */
export function createHttp2Server(options: HttpServerOptions): HttpServer {
  const connections = new Map<TLSSocket, Connection>();
  let draining = false;

  /** What was said last goes out soon or not at all: nghttp2 falls silent at nonsense, and its streams then never end. */
  const endUnless = (socket: TLSSocket, isOver: () => boolean): void => {
    const gone = (): void => clearTimeout(look);
    const look = setTimeout(() => {
      // A connection that lives on comes here again at each idle timeout.
      socket.off('close', gone);
      if (!isOver()) socket.destroy();
    }, options.requestTimeout);
    socket.once('close', gone);
  };
  const serve = (client: HttpClient): void => {
    const { socket } = client;
    const impatience = setTimeout(() => socket.destroy(), options.requestTimeout);
    const session = performServerHandshake(socket, {
      ...RESETS,
      maxHeaderListPairs: 256,
      maxSessionMemory: 4,
      maxSettings: 32,
      maxOutstandingPings: 10,
      maxSessionInvalidFrames: 100,
      maxSessionRejectedStreams: 100,
      settings: {
        maxConcurrentStreams: STREAMS,
        maxHeaderListSize: 32_768,
        initialWindowSize: STREAM_WINDOW,
        enableConnectProtocol: true,
        enablePush: false,
      },
    });
    const connection: Connection = { session, running: new Set(), dismissed: false };
    connections.set(socket, connection);
    session.on('error', () => socket.destroy());
    // The listener's connections may be half-open, HTTP/2's may not. Without this nobody would see that a client is gone: Node reads no further than its end,
    // and waits for ever for the end of one that has said GOAWAY.
    socket.once('end', () => socket.destroy());
    closeSoon(socket, () => {});
    session.once('connect', () => session.setLocalWindowSize(CONNECTION_WINDOW));
    session.once('close', () => {
      clearTimeout(impatience);
      connections.delete(socket);
      socket.destroy();
    });
    session.setTimeout(options.idleTimeout);
    session.on('timeout', () => {
      const late = [...connection.running];
      if (late.length === 0) closeSoon(socket, () => session.close());
      for (const each of late) each.timeOut();
      endUnless(socket, () => late.length > 0 && late.every((each) => !connection.running.has(each)));
    });
    session.on('stream', (stream, headers, _flags, raw: readonly string[]) => {
      clearTimeout(impatience);
      const exchange = new Http2Exchange(stream, headers as PseudoFields, raw);
      let handled: Handled | undefined;
      let done = false;
      handled = options.handle(exchange, client, exchange.malformed(), () => {
        done = true;
        if (handled !== undefined) connection.running.delete(handled);
      });
      if (!done) connection.running.add(handled);
    });
    if (draining) closeSoon(socket, () => session.close());
  };

  return {
    serve,
    dismiss: ({ socket }) => {
      const connection = connections.get(socket);
      if (connection === undefined || connection.dismissed) return;
      connection.dismissed = true;
      closeSoon(socket, () => connection.session.close());
      endUnless(socket, () => false);
    },
    drain: () => {
      draining = true;
      for (const [socket, { session }] of connections) closeSoon(socket, () => session.close());
    },
  };
}
