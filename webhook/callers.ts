import { createHash, timingSafeEqual, X509Certificate } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Server } from 'node:https';
import type { TLSSocket } from 'node:tls';
import { type Refusal, type Result, refuse, success } from '../formats/bytes/result.ts';
import { decodePem } from '../formats/x509/pem.ts';
import type { Live } from '../platform/run/live.ts';
import { peerCertificate } from '../platform/tls/peer.ts';
import { rejection, type ServingCode } from './code.ts';

export interface CallerRules {
  /** Roots of callers' client certificates (DER), never empty; those that the TLS server asks for. */
  readonly clientRoots?: Live<readonly Uint8Array[]>;
  /** Common names or DNS names that such a certificate must have one of; empty: the roots sign for nobody else. */
  readonly clientNames: readonly string[];
  /** SHA-256 of each bearer token that is accepted, never empty. */
  readonly tokens?: Live<readonly Buffer[]>;
  /** Milliseconds. */
  now(): number;
}

const MIN_TOKEN = 32;
const CONFIGURE = 'Give the API server the credential: docs/injection.md, Serving.';

/** Certificates of a PEM file. */
export function parseClientRoots(text: string): Result<readonly Uint8Array[]> {
  const roots = decodePem('CERTIFICATE', text);
  return roots.ok && roots.value.length === 0
    ? refuse('no-roots', 'no certificate in the file', 'Write PEM.')
    : roots;
}

/** Tokens, one a line: two while one is being replaced. Only their hashes are kept. */
export function parseTokens(text: string): Result<readonly Buffer[]> {
  const tokens = text.split('\n').flatMap((line) => (line.trim() === '' ? [] : [line.trim()]));
  if (tokens.length === 0 || tokens.some((token) => token.length < MIN_TOKEN))
    return refuse(
      'tokens-weak',
      `a token needs at least ${MIN_TOKEN} characters, and one is needed`,
      'Write: openssl rand -hex 32',
    );
  return success(tokens.map(sha256));
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

interface Peer {
  /** The roots that it was judged by. */
  readonly roots: readonly Uint8Array[];
  /** Absent for a peer that is refused. */
  readonly certificate?: X509Certificate;
  readonly refusal?: Refusal<ServingCode>;
}

/**
 * Who may call: whoever has all that is configured. The certificate is judged once a connection, in code (never a resumed one), its end and
 * the token at each request.
 * @returns why a request is refused, undefined when it is not
 */
export function callerJudge(
  server: Server,
  rules: CallerRules,
): (request: IncomingMessage) => Refusal<ServingCode> | undefined {
  const { clientRoots, tokens, now } = rules;
  const peers = new WeakMap<object, Peer>();
  if (clientRoots !== undefined)
    server.on('secureConnection', (socket) =>
      peers.set(socket, judgePeer(socket, clientRoots.current(), rules.clientNames)),
    );
  return (request) => {
    if (clientRoots !== undefined) {
      const peer = currentPeer(peers, request.socket, clientRoots.current());
      // Answered so, an API server calls again on a new connection, whose whole chain TLS judges by the new roots.
      if (peer === undefined)
        return rejection('connection-outdated', 'the roots of callers have changed', 'Connect again.');
      if (peer.refusal !== undefined) return peer.refusal;
      if ((peer.certificate?.validToDate.getTime() ?? 0) <= now())
        return rejection('caller-unknown', 'the client certificate has ended', CONFIGURE);
    }
    if (tokens === undefined) return undefined;
    const [, token] = /^Bearer ([\x21-\x7e]{1,4096})$/i.exec(request.headers.authorization ?? '') ?? [];
    if (token === undefined) return rejection('caller-unknown', 'no bearer token was sent', CONFIGURE);
    const hash = sha256(token);
    // Every one is compared: the time says nothing about which.
    const matches = tokens.current().filter((known) => timingSafeEqual(known, hash));
    return matches.length > 0
      ? undefined
      : rejection('caller-unknown', 'the bearer token is not the one', CONFIGURE);
  };
}

/** A connection's peer as judged by these roots; undefined when they are others than at its handshake, and none of them signed its certificate itself. */
function currentPeer(
  peers: WeakMap<object, Peer>,
  socket: object,
  roots: readonly Uint8Array[],
): Peer | undefined {
  const peer = peers.get(socket);
  if (peer === undefined || peer.roots === roots || peer.refusal !== undefined) return peer;
  const { certificate } = peer;
  const signed = roots.some((der) => {
    const root = new X509Certificate(der);
    return certificate?.checkIssued(root) && certificate.verify(root.publicKey);
  });
  if (!signed) return undefined;
  const judged = { ...peer, roots };
  peers.set(socket, judged);
  return judged;
}

function judgePeer(socket: TLSSocket, roots: readonly Uint8Array[], names: readonly string[]): Peer {
  const refused = (refusal: Refusal<ServingCode>): Peer => ({ roots, refusal });
  const der = peerCertificate(socket);
  if (der === undefined)
    return refused(rejection('caller-unknown', 'no client certificate was shown', CONFIGURE));
  if (!socket.authorized)
    return refused(
      rejection(
        'caller-unknown',
        `the client certificate is not trusted: ${socket.authorizationError}`,
        CONFIGURE,
      ),
    );
  const certificate = new X509Certificate(der);
  const shown = namesOf(certificate);
  if (names.length > 0 && !names.some((name) => shown.includes(name)))
    return refused(
      rejection('caller-foreign', `the client certificate is of ${JSON.stringify(shown)}`, CONFIGURE),
    );
  return { roots, certificate };
}

/** Common names and DNS names. One that Node writes in quotes, because it could be mistaken for several, is none that anybody configures. */
function namesOf(certificate: X509Certificate): string[] {
  const { CN = [] } = certificate.toLegacyObject().subject;
  const entries = certificate.subjectAltName?.split(', ') ?? [];
  const dns = entries.filter((entry) => entry.startsWith('DNS:')).map((entry) => entry.slice(4));
  return [...[CN].flat(), ...dns];
}
