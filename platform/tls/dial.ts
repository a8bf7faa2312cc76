import { isIP } from 'node:net';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { type Credential, chainPem, privateKeyPem } from '../identity/credential.ts';
import { peerCertificate } from './peer.ts';
import { serverIdentity } from './server-identity.ts';
import { trustAnchors } from './trust-anchors.ts';

export interface Dial {
  readonly host: string;
  readonly port: number;
  /** The DNS name that the server's certificate must have: the name counts, not the address. Also sent as SNI. */
  readonly serverName: string;
  /** DER; never empty. `unauthenticated` lets anybody answer: the caller judges the certificate before it believes or sends anything. */
  readonly roots: readonly Uint8Array[] | 'unauthenticated';
  readonly credential?: Credential;
  /** Judges the server's certificate (DER) beyond chain and name, within the handshake. Returns a reason to refuse. Not asked when unauthenticated. */
  judgeServer?(certificate: Uint8Array): string | undefined;
  readonly alpn?: readonly string[];
  readonly localAddress?: string;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/**
 * A TLS 1.3 connection whose peer is authenticated: chain to the roots given, name. No session is kept or offered, and one that was resumed all the same is refused:
 * Node then asks neither name nor judge, and shows no certificate. When ALPN is offered, the server must have chosen one of it.
 * @throws when the peer cannot be reached or is not who it should be
 */
export function dialTls(options: Dial): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const { serverName } = options;
    const socket = connect({
      host: options.host,
      port: options.port,
      ...tlsOptionsOf(options),
      ...(isIP(serverName) === 0 && { servername: serverName }),
      checkServerIdentity: serverIdentity(serverName, options.judgeServer),
      ...(options.alpn && { ALPNProtocols: [...options.alpn] }),
      ...(options.localAddress && { localAddress: options.localAddress }),
    });
    const fail = (error: Error): void => {
      cleanUp();
      socket.destroy();
      reject(error);
    };
    const onAbort = (): void => fail(new DOMException('aborted', 'AbortError'));
    const timer = setTimeout(
      () =>
        fail(
          Object.assign(new Error(`${options.host}:${options.port} does not answer`), { code: 'ETIMEDOUT' }),
        ),
      options.timeoutMs ?? 10_000,
    );
    const cleanUp = (): void => {
      clearTimeout(timer);
      options.signal?.removeEventListener('abort', onAbort);
      socket.removeListener('error', fail);
    };
    options.signal?.addEventListener('abort', onAbort, { once: true });
    if (options.signal?.aborted) onAbort();
    socket.once('error', fail);
    socket.once('secureConnect', () => {
      if (peerCertificate(socket) === undefined)
        return fail(
          Object.assign(new Error('the server showed no certificate of its own on this connection'), {
            code: 'ERR_TLS_SESSION_RESUMED',
          }),
        );
      if (options.alpn && !options.alpn.includes(socket.alpnProtocol || ''))
        return fail(new Error(`the server speaks none of ${options.alpn.join(', ')}`));
      cleanUp();
      resolve(socket);
    });
  });
}

function tlsOptionsOf({ roots, credential }: Dial): ConnectionOptions {
  if (roots !== 'unauthenticated') return clientTlsOptions({ roots, ...(credential && { credential }) });
  return { minVersion: 'TLSv1.3', rejectUnauthorized: false };
}

/** What every TLS client here has in common, for `node:https` agents as well. @throws on an empty trust set */
export function clientTlsOptions(settings: { roots: readonly Uint8Array[]; credential?: Credential }): {
  minVersion: 'TLSv1.3';
  ca: string[];
  rejectUnauthorized: true;
  cert?: string;
  key?: string;
} {
  return {
    minVersion: 'TLSv1.3',
    ca: trustAnchors(settings.roots),
    rejectUnauthorized: true,
    ...(settings.credential && {
      cert: chainPem(settings.credential),
      key: privateKeyPem(settings.credential.privateKey),
    }),
  };
}
