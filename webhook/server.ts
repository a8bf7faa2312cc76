import type { ServerResponse } from 'node:http';
import type { Server } from 'node:https';
import type { Socket } from 'node:net';
import { type FastifyInstance, type FastifyReply, fastify } from 'fastify';
import type { Refusal } from '../formats/bytes/result.ts';
import { connectionCutter } from '../platform/http/connection-cutter.ts';
import { problemDocument } from '../platform/http/problem.ts';
import { type CallerRules, callerJudge } from './callers.ts';
import { rejection, type ServingCode, STATUS } from './code.ts';
import { limitConnections } from './connections.ts';
import { type Body, createBodyReader } from './read-body.ts';
import { createReviews, ENDPOINTS, type ReviewSettings } from './reviews.ts';

export interface WebhookSettings extends ReviewSettings {
  /** Options of the HTTPS server. */
  readonly https: object;
  /** Who may call, judged before a body is read; absent: everybody. */
  readonly callers?: CallerRules;
  /** Aborts when the process shall end: answers then close their connections, so that callers move to another replica. */
  readonly draining?: AbortSignal;
  /** How long a connection may take to a request's headers. */
  readonly silenceMs?: number;
}

/** Longer than an API server keeps a connection that it does not use (90 s): it closes, and never finds one closed that it is about to use. */
const KEEP_ALIVE_MS = 120_000;
/**
 * For a request's headers, and for the first request of a connection: API servers open connections that they use later, or never, so this too is longer than
 * they keep one. Bodies have their caller's deadline.
 */
const SILENCE_MS = 100_000;
/** For reviews that are under way when the port closes. */
const LAST_REQUESTS_MS = 2_000;
const LOG_EVERY_MS = 10_000;
const MAX_HEADER_BYTES = 8192;
const MAX_CONNECTIONS = 1024;

/** What Node says of a request that never became one. */
const CLIENT_ERRORS: Readonly<Record<string, ServingCode>> = {
  HPE_HEADER_OVERFLOW: 'headers-too-large',
  ERR_HTTP_REQUEST_TIMEOUT: 'headers-too-slow',
};

/** The HTTPS server with its endpoints. HTTP/1.1 only: an API server offers webhooks nothing else. */
export function createWebhook(settings: WebhookSettings): FastifyInstance {
  const { log, metrics, callers, draining, silenceMs = SILENCE_MS } = settings;
  const rejected = metrics.counter('rejected_total', 'Requests that got no review, by reason.', ['code']);
  const app: FastifyInstance = fastify({
    logger: false,
    keepAliveTimeout: KEEP_ALIVE_MS,
    requestTimeout: silenceMs,
    return503OnClosing: false,
    https: {
      ...settings.https,
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: silenceMs,
      connectionsCheckingInterval: 1_000,
    },
    clientErrorHandler: (error: Error & { code?: string }, socket: Socket) => {
      // A peer that went away asked for nothing; one that was answered goes on talking.
      if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
      const code = CLIENT_ERRORS[error.code ?? ''] ?? 'not-http';
      rejected.inc({ code });
      socket.end(`HTTP/1.1 ${STATUS[code]} ${code}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
    },
  });
  const server = app.server as Server;
  const connections = limitConnections(server, MAX_CONNECTIONS, () =>
    rejected.inc({ code: 'too-many-connections' }),
  );
  const cut = connectionCutter(server);
  // What asks for nothing, or speaks no HTTP yet, would hold the end of the process up.
  app.addHook('preClose', (done) => {
    setTimeout(cut, LAST_REQUESTS_MS).unref();
    done();
  });
  server.on('tlsClientError', () => rejected.inc({ code: 'handshake-failed' }));

  const logged = new Map<ServingCode, number>();
  /** Whether this is to be logged: strangers do not fill the log. */
  const isDue = (code: ServingCode): boolean => {
    const now = performance.now();
    if (now - (logged.get(code) ?? Number.NEGATIVE_INFINITY) <= LOG_EVERY_MS) return false;
    logged.set(code, now);
    return true;
  };
  const reject = (reply: FastifyReply, refusal: Refusal<ServingCode>): FastifyReply => {
    const { code, message } = refusal;
    rejected.inc({ code });
    if (isDue(code))
      log.warn({ code, reason: message, peer: reply.request.ip, url: reply.request.url }, 'no review');
    const status = STATUS[code];
    // What is left of the body is not waited for.
    reply.header('connection', 'close').header('content-type', 'application/problem+json');
    if (status === 401) reply.header('www-authenticate', 'Bearer');
    if (status === 503) reply.header('retry-after', code === 'busy' ? '1' : '0');
    return reply.code(status).send(JSON.stringify(problemDocument(status, refusal)));
  };

  app.removeAllContentTypeParsers();
  const readBody = createBodyReader();
  app.addContentTypeParser('application/json', (_request, payload, done) =>
    readBody(payload, (body) => done(null, body)),
  );
  if (callers !== undefined) {
    const judge = callerJudge(server, callers);
    app.addHook('onRequest', (request, reply, next) => {
      const refusal = judge(request.raw);
      if (refusal === undefined) next();
      else reject(reply, refusal);
    });
  }
  const review = createReviews(settings);
  for (const endpoint of ENDPOINTS)
    app.post(`/${endpoint}`, (request, reply) => {
      const body = request.body as Body | undefined;
      if (body === undefined) return reject(reply, NO_JSON);
      const answer = body.ok ? review(endpoint, body.value) : body;
      if (!answer.ok) return reject(reply, answer);
      connections.proven(request.raw.socket);
      sendReview(reply.hijack().raw, answer.value, draining?.aborted ?? false);
      return reply;
    });
  app.setNotFoundHandler((_request, reply) =>
    reject(reply, rejection('no-such-path', 'there is nothing here', `POST to /${ENDPOINTS.join(', /')}.`)),
  );
  app.setErrorHandler((error: Error & { statusCode?: number }, request, reply) => {
    if (error.statusCode === 415) return reject(reply, NO_JSON);
    if (isDue('failed')) log.error({ error, peer: request.ip, url: request.url }, 'review failed');
    // A failed review refuses the pod (failurePolicy: Fail); the reason stands in our log, not in the API server's.
    return reject(reply, rejection('failed', 'the webhook failed', 'See its log.'));
  });
  return app;
}

/** Not through the framework: a review is ASCII, mostly the roots, and to write 7 KB of it with headers that need no more is a tenth of answering it. */
function sendReview(raw: ServerResponse, review: string, last: boolean): void {
  const headers = { 'content-type': 'application/json', 'content-length': review.length };
  raw.writeHead(200, last ? { ...headers, connection: 'close' } : headers);
  raw.end(review, 'latin1');
}

const NO_JSON = rejection('content-type', 'the body is not application/json', 'Send an AdmissionReview.');
