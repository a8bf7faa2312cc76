import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { ClientBytes } from './client-bytes.ts';
import { dialUpstream, type UpstreamAddress } from './upstream.ts';

export interface ProxyLimits {
  readonly connectTimeout: number;
  readonly idleTimeout: number;
  /** Of http mode: until a client's first request. */
  readonly requestTimeout: number;
}

/** Bytes of a client that may wait for the app: as many as are read at once. */
const WAITING = 65_536;
/** When the app has said all it had to say, a client that says nothing more either is waited for no longer than this (milliseconds). */
const LINGER_MS = 60_000;

/**
 * Forwards bytes both ways until both sides have ended. A half-close travels on; whatever is no orderly end (a reset, a timeout, access that is over) reaches the other side as a reset. Each side is read only as fast as the other takes it. Resolves when the
 * connection is over; rejects when the app cannot be reached, and leaves the client to the caller then.
 * @param line the TCP connection below the client's TLS
 */
export async function proxyTcp(
  client: TLSSocket,
  line: Socket,
  upstream: UpstreamAddress,
  limits: ProxyLimits,
): Promise<void> {
  // The chunk lies in memory that all connections share. TLS has read it when `write` returns, unless it must wait its turn.
  const toClient = (chunk: Buffer): boolean =>
    client.write(client.writableLength === 0 ? chunk : Buffer.from(chunk));
  const sent = new ClientBytes(client, WAITING, true);
  const app = await dialUpstream(upstream, limits.connectTimeout, toClient);
  if (client.destroyed) return reset(app, app);
  await join({ client, line, app, sent }, limits.idleTimeout);
}

interface Sides {
  readonly client: TLSSocket;
  readonly line: Socket;
  readonly app: Socket;
  readonly sent: ClientBytes;
}

function join({ client, line, app, sent }: Sides, idleTimeout: number): Promise<void> {
  const cut = (): void => {
    reset(client, line);
    reset(app, app);
  };
  sent.sendTo(app);
  client.on('drain', () => app.resume());
  app.once('end', () => {
    client.end();
    client.setTimeout(Math.min(idleTimeout, LINGER_MS));
  });
  client.on('error', cut);
  app.on('error', cut);
  // What goes in either direction passes here: one clock is enough.
  client.setTimeout(idleTimeout, cut);
  return new Promise((resolve) => {
    let open = 2;
    const over = (side: Socket): void => {
      if (!side.readableEnded || !side.writableFinished) cut();
      open -= 1;
      if (open === 0) resolve();
    };
    client.once('close', () => over(client));
    app.once('close', () => over(app));
  });
}

/** No orderly end: RST, unless the end of what we send was said already. A Unix socket knows no reset. */
function reset(socket: Socket, line: Socket): void {
  if (socket.destroyed) return;
  // Not while an end of ours is under way: libuv refuses it then, and would leave the descriptor open.
  if (socket.writableEnded || line.remoteAddress === undefined) socket.destroy();
  else line.resetAndDestroy();
}
