import { createServer as createHttpServer } from 'node:http';
import { createServer, type TLSSocket } from 'node:tls';
import { fromBase64url, toBase64url } from '../../formats/bytes/base64.ts';
import { type Bundle, encodeBundle } from '../../formats/evidence/bundle.ts';
import { parseCertificate } from '../../formats/x509/certificate.ts';
import { EVIDENCE_ALPN } from '../../names/wire.ts';
import { createCredential } from '../../platform/identity/credential.ts';
import { generateKey } from '../../platform/identity/key-pair.ts';
import { serverTlsOptions } from '../../platform/tls/server-options.ts';
import { type Changes, fixture } from './evidence.ts';
import { fixtureRoots } from './fixture-certificates.ts';

export const ENCLAVE = 'eabcdefghijklmno';
export const SERVER_NAME = `${ENCLAVE}.enclaves.enclave-licensing.internal`;

export interface FakeEnclave {
  readonly endpoint: string;
  readonly leaf: Uint8Array;
  /** Bytes that came over data connections. */
  readonly received: Buffer[];
  bundle(nonce: Uint8Array): Bundle;
  /** A new key and certificate, as after a rotation or in a stranger's hands. */
  rotate(): void;
  /** From now on another enclave's certificate is shown, and the evidence stays what it was: somebody stands in the enclave's place. */
  impersonate(): void;
  close(): Promise<void>;
}

/**
 * The sidecar's outside, with software keys instead of a TPM: evidence over its own certificate on the evidence protocol, and on any other an echo for the owner's key. It
 * is a peer to test the client against; the true one is in the end-to-end test.
 */
export async function fakeEnclave(ownerKeySha256: string, changes: Changes = {}): Promise<FakeEnclave> {
  const now = Math.floor(Date.now() / 1000);
  const validity = { notBefore: now - 600, notAfter: now + 600 };
  let endpoint = '';
  const make = () => {
    const key = generateKey();
    const bundleFor = (nonce: Uint8Array): Bundle =>
      fixture({
        ...changes,
        certificate: (fields) => ({
          ...fields,
          ...validity,
          spki: key.spki,
          extensions: {
            ...fields.extensions,
            ...(fields.extensions?.enclaveBinding && {
              enclaveBinding: { ...fields.extensions.enclaveBinding, ownerKeySha256 },
            }),
          },
        }),
        akCertificate: (fields) => ({ ...fields, ...validity }),
        statement: (statement) => ({
          ...statement,
          iat: Math.floor(Date.now() / 1000),
          eat_nonce: toBase64url(nonce),
          access: { ...statement.access, ownerKeySha256 },
        }),
        bundle: (made) => ({ ...made, endpoint, serverName: SERVER_NAME }),
      }).bundle;
    const leaf = bundleFor(new Uint8Array(32)).certificateChain[0] ?? new Uint8Array();
    return { bundleFor, leaf, credential: createCredential(key.privateKey, [leaf]) };
  };
  let current = make();
  const received: Buffer[] = [];
  const roots = fixtureRoots();
  const allowed = (socket: TLSSocket): boolean => {
    const der = socket.getPeerX509Certificate()?.raw;
    const parsed = socket.authorized && der ? parseCertificate(der) : undefined;
    return parsed?.ok === true && parsed.value.extensions.userBinding?.enclave === ENCLAVE;
  };
  const http = createHttpServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://enclave');
    if (url.pathname === '/v1/access-decision') {
      const allow = allowed(request.socket as TLSSocket);
      const refusal = {
        allowed: false,
        code: 'certificate-foreign',
        message: 'the certificate is not for this enclave',
        remedy: '',
      };
      response.end(JSON.stringify(allow ? { allowed: true } : refusal));
      return;
    }
    const nonce = fromBase64url(url.searchParams.get('nonce') ?? '') ?? new Uint8Array();
    response.end(encodeBundle(current.bundleFor(nonce)));
  });
  const options = () => ({
    credential: current.credential,
    alpn: [EVIDENCE_ALPN, 'http/1.1'],
    clientCertificates: { mode: 'requested' as const, roots: roots.users },
  });
  const sockets = new Set<TLSSocket>();
  const server = createServer(serverTlsOptions(options()), (socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    if (socket.alpnProtocol === EVIDENCE_ALPN) return void http.emit('connection', socket);
    if (!allowed(socket)) return void socket.destroy();
    socket.on('data', (chunk) => received.push(chunk));
    return void socket.pipe(socket);
  });
  server.on('tlsClientError', () => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  endpoint = `127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
  return {
    endpoint,
    get leaf() {
      return current.leaf;
    },
    received,
    bundle: (nonce) => current.bundleFor(nonce),
    rotate: () => {
      current = make();
      server.setSecureContext(serverTlsOptions(options()));
    },
    impersonate: () =>
      server.setSecureContext(serverTlsOptions({ ...options(), credential: make().credential })),
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
}
