import { constants } from 'node:crypto';
import type { TlsOptions } from 'node:tls';
import { type Credential, chainPem, privateKeyPem } from '../identity/credential.ts';
import { trustAnchors } from './trust-anchors.ts';

export interface ServerTls {
  readonly credential: Credential;
  /** Protocols offered by ALPN; none: no ALPN. */
  readonly alpn?: readonly string[];
  /**
   * Absent: no client certificate is asked for. `required`: the handshake fails without one that chains to the roots. `requested`: code decides per connection, by
   * `peerCertificate` and `socket.authorized`; Node decides nothing then.
   */
  readonly clientCertificates?: {
    readonly mode: 'required' | 'requested';
    /** DER; never empty. */
    readonly roots: readonly Uint8Array[];
  };
}

/**
 * Options of a TLS, HTTPS or fastify server, and of `setSecureContext` when credential or roots change: TLS 1.3 only, no session tickets. A resumed session
 * shows no peer certificate, so none is ever resumed: nothing here keeps or finds a session.
 * @throws on an empty trust set
 */
export function serverTlsOptions(settings: ServerTls): TlsOptions {
  const { credential, alpn, clientCertificates } = settings;
  return {
    minVersion: 'TLSv1.3',
    maxVersion: 'TLSv1.3',
    secureOptions: constants.SSL_OP_NO_TICKET,
    cert: chainPem(credential),
    key: privateKeyPem(credential.privateKey),
    handshakeTimeout: 10_000,
    requestCert: clientCertificates !== undefined,
    rejectUnauthorized: clientCertificates?.mode === 'required',
    ...(clientCertificates === undefined ? {} : { ca: trustAnchors(clientCertificates.roots) }),
    ...(alpn === undefined ? {} : { ALPNProtocols: [...alpn] }),
  };
}
