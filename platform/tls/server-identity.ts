import { checkServerIdentity, type PeerCertificate } from 'node:tls';

/**
 * Who a TLS server must be, as `checkServerIdentity` of Node's TLS, HTTPS and gRPC clients: the name in its certificate, whatever address was dialled, then
 * what the caller knows of its role. Asked within the handshake, after the chain has been checked.
 * @param serverName DNS name or IP address that the certificate must have (RFC 9525)
 * @param judge takes the certificate's DER; returns a reason to refuse
 */
export function serverIdentity(
  serverName: string,
  judge?: (certificate: Uint8Array) => string | undefined,
): (host: string, certificate: PeerCertificate) => Error | undefined {
  return (_host, certificate) => {
    const wrongName = checkServerIdentity(serverName, certificate);
    if (wrongName) return wrongName;
    const reason = judge?.(new Uint8Array(certificate.raw));
    return reason === undefined ? undefined : new Error(reason);
  };
}
