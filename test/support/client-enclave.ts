import { createServer as createHttpServer } from 'node:http';
import { createServer, type TLSSocket, type TlsOptions } from 'node:tls';
import { fromBase64url, toBase64url } from '../../formats/bytes/base64.ts';
import { type Bundle, encodeBundle } from '../../formats/evidence/bundle.ts';
import { parseCertificate } from '../../formats/x509/certificate.ts';
import { EVIDENCE_ALPN } from '../../names/wire.ts';
import { problemDocument } from '../../platform/http/problem.ts';
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
  /** Every nonce that it was asked with, base64url. */
  readonly nonces: string[];
  /** From now on its evidence is made with these changes. */
  change(next: Changes): void;
  /** From now on it hands out tickets that resume a session, as no sidecar does. */
  offerTickets(): void;
  /** From now on nobody gets in, for this reason, and open data connections end; undefined: as before. */
  refuse(code: string | undefined): void;
  /** From now on it is too busy to give evidence (503), or not any more. */
  busy(now: boolean): void;
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
export async function fakeEnclave(ownerKeySha256: string): Promise<FakeEnclave> {
  let changed: Changes = {};
  const now = Math.floor(Date.now() / 1000);
  const validity = { notBefore: now - 600, notAfter: now + 600 };
  let endpoint = '';
  let current: ReturnType<typeof make>;
  let busy = false;
  let refused: string | undefined;
  let tickets: TlsOptions = {};
  const nonces: string[] = [];
  const make = () => {
    const key = generateKey();
    const bundleFor = (nonce: Uint8Array): Bundle =>
      fixture({
        ...changed,
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
        akCertificate: (fields) => ({ ...(changed.akCertificate?.(fields) ?? fields), ...validity }),
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
  current = make();
  const received: Buffer[] = [];
  const roots = fixtureRoots();
  const allowed = (socket: TLSSocket): boolean => {
    const der = socket.getPeerX509Certificate()?.raw;
    if (refused !== undefined) return false;
    const parsed = socket.authorized && der ? parseCertificate(der) : undefined;
    return parsed?.ok === true && parsed.value.extensions.userBinding?.enclave === ENCLAVE;
  };
  const http = createHttpServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://enclave');
    if (url.pathname === '/v1/access-decision') {
      const allow = allowed(request.socket as TLSSocket);
      const refusal = {
        allowed: false,
        code: refused ?? 'enclave-mismatch',
        message: 'the certificate is not for this enclave',
        remedy: 'do as it says',
      };
      response.end(JSON.stringify(allow ? { allowed: true } : refusal));
      return;
    }
    nonces.push(url.searchParams.get('nonce') ?? '');
    if (busy) {
      const problem = { code: 'evidence-unavailable', message: 'the agent is busy', remedy: '' };
      return void response.writeHead(503).end(JSON.stringify(problemDocument(503, problem)));
    }
    const nonce = fromBase64url(url.searchParams.get('nonce') ?? '') ?? new Uint8Array();
    response.end(encodeBundle(current.bundleFor(nonce)));
  });
  const options = (credential = current.credential): TlsOptions => {
    const alpn = [EVIDENCE_ALPN, 'http/1.1'];
    const clientCertificates = { mode: 'requested', roots: roots.users } as const;
    return { ...serverTlsOptions({ credential, alpn, clientCertificates }), ...tickets };
  };
  const sockets = new Set<TLSSocket>();
  const server = createServer(options(), (socket) => {
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
    nonces,
    change: (next) => {
      changed = next;
    },
    refuse: (code) => {
      refused = code;
      for (const socket of code === undefined ? [] : sockets)
        if (socket.alpnProtocol !== EVIDENCE_ALPN) socket.destroy();
    },
    busy: (now) => {
      busy = now;
    },
    bundle: (nonce) => current.bundleFor(nonce),
    rotate: () => {
      current = make();
      server.setSecureContext(options());
    },
    impersonate: () => server.setSecureContext(options(make().credential)),
    offerTickets: () => {
      tickets = { secureOptions: 0 };
      server.setSecureContext({ ...options(), ticketKeys: Buffer.alloc(48, 7) } as TlsOptions);
    },
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
}
