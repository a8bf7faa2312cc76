import type { TLSSocket } from 'node:tls';

/** Node takes a server's certificate out of its chain as it hands it out: the second call would show the issuer's, or none. So it is asked once. */
const known = new WeakMap<TLSSocket, Uint8Array>();

/**
 * The certificate that the peer showed on this connection (DER), or undefined: it showed none, or the session was resumed. Node shows none on a resumed session,
 * and asks nobody whether the peer is who it should be. Call it when the handshake is done.
 */
export function peerCertificate(socket: TLSSocket): Uint8Array | undefined {
  if (socket.isSessionReused()) return undefined;
  const certificate = known.get(socket) ?? socket.getPeerX509Certificate()?.raw;
  if (certificate === undefined || certificate.length === 0) return undefined;
  known.set(socket, certificate);
  return certificate;
}
