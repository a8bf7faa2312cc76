import { constants } from 'node:crypto';
import type { Socket } from 'node:net';
import { createServer, type Server, type TLSSocket, type TlsOptions } from 'node:tls';
import { equal } from '../../formats/bytes/bytes.ts';
import { encodePem } from '../../formats/x509/pem.ts';
import { trustAnchors } from '../../platform/tls/trust-anchors.ts';
import type { Credential } from '../life/credential.ts';
import { boundHandshakes } from './bound-handshakes.ts';

export interface ListenerOptions {
  readonly host: string;
  readonly port: number;
  readonly maxConnections: number;
  /** Handshakes under way at one time. */
  readonly maxHandshakes: number;
  /** Milliseconds; default 10,000. */
  readonly handshakeTimeout?: number;
  /** Chooses the protocol from what the client offers; undefined ends the handshake. */
  chooseProtocol(offered: readonly string[]): string | undefined;
  /** `line` is the TCP connection below. */
  onConnection(socket: TLSSocket, line: Socket): void;
  onHandshakeFailure(error: NodeJS.ErrnoException): void;
  /** Closed unheard: all places were taken. */
  onDropped(): void;
}

export interface EnclaveListener {
  /** New connections get this credential; those that stand keep theirs. `clientRoots` are only named to clients: code judges. */
  activate(credential: Credential, clientRoots: readonly Uint8Array[]): Promise<void>;
  /** The credential that a connection was opened with: for as long as it stands, when asked first before its certificate was replaced three times. */
  credentialOf(socket: TLSSocket): Credential | undefined;
  /** No new connection is taken until the next `activate`. */
  pause(): void;
  port(): number;
}

/** Credentials that open connections may still stand on: this one and the ones before it. */
const KEPT = 4;
const KEEP_ALIVE_MS = 60_000;

/**
 * The enclave's one port. TLS 1.3 only, and nothing is ever resumed: no ticket holds a session and no store keeps one (what OpenSSL still sends as a ticket
 * is the number of a session that is nowhere). A client certificate is asked of everyone, and whether it is good enough is decided in
 * code: OpenSSL proves that the client holds its key (RFC 8446, 4.4.3), nothing more.
 */
export function createEnclaveListener(options: ListenerOptions): EnclaveListener {
  let server: Server | undefined;
  let credentials: Credential[] = [];
  const standing = new WeakMap<TLSSocket, Credential>();

  const start = async (context: TlsOptions): Promise<void> => {
    const made = createServer({
      ...context,
      requestCert: true,
      rejectUnauthorized: false,
      allowHalfOpen: true,
      noDelay: true,
      // Peers that vanished without a word are noticed, also when the connection is idle on purpose.
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_MS,
      handshakeTimeout: options.handshakeTimeout ?? 10_000,
      ALPNCallback: ({ protocols }) => options.chooseProtocol(protocols),
    });
    made.maxConnections = options.maxConnections;
    const shaking = boundHandshakes(made, options.maxHandshakes);
    made.on('drop', options.onDropped);
    made.on('secureConnection', (socket) => {
      const line = shaking.done(socket);
      if (line === undefined) socket.destroy();
      else options.onConnection(socket, line);
    });
    made.on('tlsClientError', (error, socket) => {
      // Node leaves it open: with half-open connections allowed, one that stopped in the middle would stay for good.
      socket.destroy();
      options.onHandshakeFailure(error);
    });
    await new Promise<void>((resolve, reject) => {
      made.once('error', reject);
      made.listen(options.port, options.host, () => {
        made.removeListener('error', reject);
        // Out of file descriptors, for example: this connection is lost, the port is not.
        made.on('error', options.onHandshakeFailure);
        resolve();
      });
    });
    server = made;
  };

  return {
    activate: async (credential, clientRoots) => {
      const context = {
        minVersion: 'TLSv1.3' as const,
        maxVersion: 'TLSv1.3' as const,
        secureOptions: constants.SSL_OP_NO_TICKET,
        cert: credential.chain.map((der) => encodePem('CERTIFICATE', der)).join(''),
        ca: trustAnchors(clientRoots),
      };
      credentials = [credential, ...credentials].slice(0, KEPT);
      if (server !== undefined) {
        const running = server;
        credential.key.spend((key) => running.setSecureContext({ ...context, key }));
        return;
      }
      let starting: Promise<void> | undefined;
      // The context is made before `createServer` returns, so the key's bytes may go when `spend` does.
      credential.key.spend((key) => {
        starting = start({ ...context, key });
      });
      await starting;
    },
    credentialOf: (socket) => {
      const known = standing.get(socket);
      if (known !== undefined) return known;
      const own = socket.getX509Certificate()?.raw;
      const found = own && credentials.find(({ chain: [leaf] }) => leaf !== undefined && equal(leaf, own));
      if (found !== undefined) standing.set(socket, found);
      return found;
    },
    pause: () => {
      server?.close();
      server = undefined;
    },
    port: () => {
      const address = server?.address();
      return typeof address === 'object' && address !== null ? address.port : options.port;
    },
  };
}
