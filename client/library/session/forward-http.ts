import { createServer as createHttpServer } from 'node:http';
import { performServerHandshake } from 'node:http2';
import { createServer, type Socket } from 'node:net';
import { type Forwarding, type ForwardOptions, MAX_CONNECTIONS } from './forward.ts';
import { relayHttp1 } from './relay-http1.ts';
import { relayHttp2 } from './relay-http2.ts';

export interface HttpForwardOptions extends ForwardOptions {
  /** The user's token for the enclave. */
  token(): Promise<string>;
}

/** What a client of HTTP/2 by prior knowledge begins with (RFC 9113, 3.4). */
const PREFACE = 'PRI * HTTP/2';

/**
 * Opens a local port for HTTP to an enclave with `auth: jwt`: each request gets the user's token (`x-enclave-token`) on its way. HTTP/1.1 with WebSockets, and HTTP/2 by prior
 * knowledge (gRPC); each goes on in its own version. @throws when the port cannot be had
 */
export async function forwardHttp(options: HttpForwardOptions): Promise<Forwarding> {
  const { listen, signal } = options;
  const open = new Set<Socket>();
  const http1 = relayHttp1(options);
  const server = createHttpServer({
    shouldUpgradeCallback: ({ headers }) => headers.upgrade?.toLowerCase() === 'websocket',
  });
  server.on('request', http1.request);
  server.on('checkContinue', http1.request);
  server.on('upgrade', http1.upgrade);
  server.on('clientError', (_error, socket) => socket.destroy());
  const begin = (local: Socket, first: Buffer): void => {
    local.pause();
    local.unshift(first);
    const versioned = first.subarray(0, PREFACE.length).toString('latin1') === PREFACE;
    if (versioned) {
      relayHttp2(performServerHandshake(local), options);
      return;
    }
    server.emit('connection', local);
    // Once the server listens for what was read here.
    process.nextTick(() => local.resume());
  };
  const port = createServer({ keepAlive: true, noDelay: true }, (local) => {
    open.add(local);
    local.on('error', () => undefined);
    local.once('close', () => open.delete(local));
    local.once('data', (first: Buffer) => begin(local, first));
  });
  port.maxConnections = MAX_CONNECTIONS;
  await new Promise<void>((resolve, reject) => {
    port.once('error', reject);
    port.listen(listen.port, listen.host, () => resolve());
  });
  const address = port.address();
  const ended = new Promise<void>((resolve) => {
    const stop = (): void => {
      port.close(() => resolve());
      for (const each of open) each.destroy();
      http1.close();
    };
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
  return { port: typeof address === 'object' && address !== null ? address.port : listen.port, ended };
}
