import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { fromBase64url } from '../../formats/bytes/base64.ts';
import type { Refusal, Result } from '../../formats/bytes/result.ts';
import { type Bundle, bundleToJson, encodeBundle } from '../../formats/evidence/bundle.ts';
import { EVIDENCE_PATHS, MEDIA_TYPES } from '../../names/wire.ts';
import { HeadwiseSocket } from '../../platform/http/headwise-socket.ts';
import { RateLimiter } from '../../platform/limits/rate-limiter.ts';
import type { Logger } from '../../platform/log/logger.ts';
import type { Metrics } from '../../platform/metrics/metrics.ts';
import { aborted } from '../../platform/run/aborted.ts';
import { explain } from '../../platform/run/explain.ts';
import type { Allowed } from '../access/access.ts';
import { bearerToken } from '../access/bearer-token.ts';
import type { AccessCode } from '../access/code.ts';
import { AgentError } from '../agent/agent-error.ts';
import { createEvidencePlaces, type EvidencePlace } from './evidence-places.ts';
import { sendJson, sendProblem } from './problem.ts';

/** How a request, or a connection without one, ended: label `outcome` of `evidence_requests_total`. */
export type EvidenceOutcome =
  | 'served'
  | 'decision'
  | 'malformed'
  | 'limited'
  | 'failed'
  | 'evicted'
  | 'silent';

export interface EvidenceOptions {
  /** Fresh evidence over the certificate that this very connection was opened with. */
  evidence(socket: TLSSocket, nonce: Uint8Array): Promise<Bundle>;
  /** What the same certificate would be told on a data connection; with `auth: jwt`, what a request with this bearer token would be told. */
  accessDecision(
    socket: TLSSocket,
    token: string | undefined,
  ): Result<Allowed, AccessCode> | Promise<Result<Allowed, AccessCode>>;
  /** Connections at one time. */
  readonly connections: number;
  readonly log: Logger;
  readonly metrics: Metrics;
}

export interface EvidenceEndpoint {
  /** Takes over a connection whose protocol is exactly enclave-evidence/1. */
  serve(socket: TLSSocket): void;
  /** Answers what was asked already, and nothing more; resolves when no connection is open, or at the deadline, which ends them. */
  drain(deadline: AbortSignal): Promise<void>;
}

const QUOTES_IN_FLIGHT = 128;
/** Quotes for one address, and the bytes of the answers. */
const COUNT_RATE = { burst: 64, perMinute: 32 * 60 };
const BYTE_RATE = { burst: 8_388_608, perMinute: 1_048_576 * 60 };
/** Peers that are remembered. */
const PEERS = 4096;

/** The nonce of the query, given exactly once; undefined when it is not 16 to 64 bytes of base64url. */
function nonceOf(url: URL): Uint8Array | undefined {
  const values = url.searchParams.getAll('nonce');
  const nonce = values.length === 1 ? fromBase64url(values[0] ?? '') : undefined;
  return nonce !== undefined && nonce.length >= 16 && nonce.length <= 64 ? nonce : undefined;
}

function wantsJson(request: IncomingMessage): boolean {
  const accept = request.headers.accept ?? '';
  return accept.includes(MEDIA_TYPES.json) && !accept.includes(MEDIA_TYPES.protobuf);
}

/** HTTP/1.1 on ALPN enclave-evidence/1: open to everybody, so limited by connection and by address. Only quotes count against an address: they alone cost more than the connection did. */
export function createEvidenceEndpoint(options: EvidenceOptions): EvidenceEndpoint {
  const { log, metrics } = options;
  const requests = metrics.counter('evidence_requests_total', 'Requests to the evidence endpoint.', [
    'outcome',
  ]);
  const count = (outcome: EvidenceOutcome): void => requests.inc({ outcome });
  const seconds = metrics.histogram('evidence_seconds', 'Time to fresh evidence.');
  const quotesOfSource = new RateLimiter(COUNT_RATE, PEERS);
  const bytesOfSource = new RateLimiter(BYTE_RATE, PEERS);
  const places = createEvidencePlaces({
    most: options.connections,
    onEvicted: () => count('evicted'),
    onSilent: () => count('silent'),
  });
  const answering = new Set<ServerResponse>();
  let inFlight = 0;

  const malformed = (response: ServerResponse, status: number, refusal: Omit<Refusal, 'ok'>): void => {
    count('malformed');
    sendProblem(response, status, refusal);
  };

  const limited = (response: ServerResponse, who: string): void => {
    count('limited');
    const message = `this ${who} asks for too much evidence`;
    sendProblem(response, 429, { code: 'too-many-requests', message, remedy: 'Ask less often.' });
  };

  const evidence = async (
    socket: TLSSocket,
    { source, bytes }: EvidencePlace,
    url: URL,
    request: IncomingMessage,
    response: ServerResponse,
  ) => {
    const nonce = nonceOf(url);
    if (nonce === undefined) {
      const remedy = 'Send one nonce of 16 to 64 bytes as base64url without padding.';
      const message = 'the query has no good nonce';
      return malformed(response, 400, { code: 'nonce-invalid', message, remedy });
    }
    const now = performance.now();
    if (bytes.wait('', now) > 0) return limited(response, 'connection');
    if (inFlight >= QUOTES_IN_FLIGHT) {
      count('limited');
      const message = 'too many quotes are being made';
      return sendProblem(response, 503, { code: 'busy', message, remedy: 'Try again in a second.' });
    }
    if (bytesOfSource.wait(source, now) > 0 || quotesOfSource.take(source, now) > 0)
      return limited(response, 'address');
    inFlight += 1;
    const start = performance.now();
    try {
      const bundle = await options.evidence(socket, nonce);
      const json = wantsJson(request);
      const body = json ? bundleToJson(bundle) : encodeBundle(bundle);
      bytes.spend('', body.length, performance.now());
      bytesOfSource.spend(source, body.length, performance.now());
      seconds.observe((performance.now() - start) / 1000);
      count('served');
      response
        .writeHead(200, {
          'content-type': json ? MEDIA_TYPES.json : MEDIA_TYPES.protobuf,
          'content-length': Buffer.byteLength(body),
          'cache-control': 'no-store',
        })
        .end(body);
    } catch (error) {
      count('failed');
      log.warn({ reason: explain(error) }, 'no evidence');
      // A stranger reads this: the agent's code and nothing else, for the reason may hold an address or a file's path.
      const code = error instanceof AgentError ? ` (${error.code})` : '';
      const message = `the node’s agent gives no evidence${code}`;
      const remedy = 'Try again, on a new connection.';
      sendProblem(response, 503, { code: 'evidence-unavailable', message, remedy });
    } finally {
      inFlight -= 1;
    }
  };

  const decision = async (
    socket: TLSSocket,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> => {
    const result = await options.accessDecision(socket, bearerToken(request.headers.authorization));
    count('decision');
    const { ok, ...refusal } = result;
    sendJson(response, 200, result.ok ? { allowed: true, ...result.value } : { allowed: ok, ...refusal });
  };

  const answer = async (
    socket: TLSSocket,
    place: EvidencePlace,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> => {
    if (place.requests.take('', performance.now()) > 0) return limited(response, 'connection');
    const url = URL.parse(request.url ?? '/', 'http://enclave');
    if (request.method !== 'GET')
      return malformed(response, 405, { code: 'method', message: 'GET only', remedy: 'Send GET.' });
    if (url?.pathname === EVIDENCE_PATHS.evidence) return evidence(socket, place, url, request, response);
    if (url?.pathname === EVIDENCE_PATHS.accessDecision) return decision(socket, request, response);
    const remedy = `Paths are ${Object.values(EVIDENCE_PATHS).join(' and ')}.`;
    return malformed(response, 404, { code: 'not-found', message: 'nothing is here', remedy });
  };

  const server = createServer({ maxHeaderSize: 8192 }, (request, response) => {
    const through: Duplex = request.socket;
    if (!(through instanceof HeadwiseSocket)) return void response.destroy();
    const socket: TLSSocket = through.line;
    const place = places.of(socket);
    if (place === undefined) return void response.destroy();
    // One question at a time.
    through.hold();
    answering.add(response);
    response.once('close', () => {
      answering.delete(response);
      places.idle(socket);
      through.release();
    });
    request.resume();
    places.asked(socket);
    return void answer(socket, place, request, response)
      .catch((error: unknown) => {
        log.error({ error }, 'no answer');
        response.destroy();
      })
      .finally(() => places.answered(socket));
  });
  // Who waits, and for how long, is the places' affair.
  server.keepAliveTimeout = 0;
  server.maxRequestsPerSocket = 1000;
  server.on('clientError', (_, socket) => socket.destroy());

  return {
    serve: (socket) => {
      places.take(socket);
      server.emit('connection', new HeadwiseSocket(socket));
    },
    drain: async (deadline) => {
      for (const response of answering) if (!response.headersSent) response.setHeader('connection', 'close');
      server.closeIdleConnections();
      const closed = places.sockets().map((socket) => new Promise((done) => socket.once('close', done)));
      await Promise.race([Promise.all(closed), aborted(deadline)]);
      for (const socket of places.sockets()) socket.destroy();
    },
  };
}
