import type { TLSSocket } from 'node:tls';

/** The certificate that the peer showed on this connection (DER), or undefined: it showed none, or the session was resumed. */
export function peerCertificate(socket: TLSSocket): Uint8Array | undefined {
  if (socket.isSessionReused()) return undefined;
  return socket.getPeerX509Certificate()?.raw;
}
