import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { dialUpstream, type UpstreamAddress } from './upstream.ts';

export interface ProxyLimits {
  readonly connectTimeout: number;
  readonly idleTimeout: number;
  /** Of http mode: until a client's first request. */
  readonly requestTimeout: number;
}

/**
 * Forwards bytes both ways until both sides have ended; a half-close travels on, back-pressure is the streams' own. Resolves when the
 * connection is over; rejects when the app cannot be reached.
 */
export async function proxyTcp(
  client: TLSSocket,
  upstream: UpstreamAddress,
  limits: ProxyLimits,
): Promise<void> {
  const app = await dialUpstream(upstream, limits.connectTimeout);
  if (client.destroyed) {
    app.destroy();
    return;
  }
  await join(client, app, limits.idleTimeout);
}

/** Two streams as one connection: what ends or fails on one side ends on the other. */
function join(client: TLSSocket, app: Socket, idleTimeout: number): Promise<void> {
  return new Promise((resolve) => {
    let open = 2;
    const over = (side: Duplex, other: Duplex) => () => {
      open -= 1;
      // A side that closed before its end was seen was cut off: the other must not take that for an orderly end.
      if (!side.readableEnded || !side.writableFinished) other.destroy();
      if (open === 0) resolve();
    };
    const cut = (): void => {
      client.destroy();
      app.destroy();
    };
    client.once('close', over(client, app));
    app.once('close', over(app, client));
    for (const side of [client, app]) {
      side.on('error', cut);
      side.setTimeout(idleTimeout, cut);
    }
    client.pipe(app);
    app.pipe(client);
  });
}
