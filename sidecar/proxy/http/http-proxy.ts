import { randomBytes } from 'node:crypto';
import { constants } from 'node:http2';
import type { TLSSocket } from 'node:tls';
import type { Result } from '../../../formats/bytes/result.ts';
import type { Logger } from '../../../platform/log/logger.ts';
import type { Metrics } from '../../../platform/metrics/metrics.ts';
import { explain } from '../../../platform/run/explain.ts';
import type { Allowed } from '../../access/access.ts';
import { bearerToken } from '../../access/bearer-token.ts';
import type { AccessCode } from '../../access/code.ts';
import { holdsTokenFor } from '../../access/enclave-token.ts';
import type { StandingAccess } from '../../access/standing-access.ts';
import type { AccessLog } from '../../log/access-log.ts';
import { CONNECTION_BYTES, REQUEST_BYTES } from '../../serve/connection-limits.ts';
import type { ProxyLimits } from '../tcp-proxy.ts';
import type { UpstreamAddress } from '../upstream.ts';
import { AppAgent } from './app-agent.ts';
import { AppSessions } from './app-sessions.ts';
import { createOwnName, identityHeaders } from './client-identity.ts';
import type { Exchange, Malformed } from './exchange.ts';
import { type HttpClient, httpClient } from './http-client.ts';
import { createHttp1Server, type Handled } from './http1-server.ts';
import { forwardOverHttp1, forwardWebSocket } from './http1-upstream.ts';
import { createHttp2Server } from './http2-server.ts';
import { forwardOverHttp2 } from './http2-upstream.ts';
import { createMemoryPlaces } from './memory-places.ts';
import { RunningRequest } from './running-request.ts';

export interface HttpProxyOptions {
  readonly enclave: string;
  readonly upstream: UpstreamAddress;
  readonly limits: ProxyLimits;
  /** Bytes that connections and the requests on them may take: requests that do not fit are refused. */
  readonly memory: number;
  /** Of tokens for this enclave: its DNS name. */
  readonly audience: string;
  /** Judges one request by its token: asked where the connection's certificate did not decide. */
  judgeToken(token: string | undefined): Promise<Result<Allowed, AccessCode>>;
  /** A request on this connection was let in by its token. */
  onLetIn(socket: TLSSocket): void;
  onRefused(code: AccessCode, message: string): void;
  /** Ends what a token let in when the token does, and when access is taken back. */
  readonly standing: StandingAccess;
  readonly log: Logger;
  readonly accessLog: AccessLog | undefined;
  readonly metrics: Metrics;
}

export interface HttpProxy {
  /** A connection's place in the memory, before it is served, and how to give it back; undefined when connections and requests of its user, or address, take all that one may have. */
  reserve(who: string): (() => void) | undefined;
  /** Serves one client connection; resolves when it is over. */
  serve(socket: TLSSocket, allowed: Allowed | undefined): Promise<void>;
  /** Ends connections as soon as they have no request under way. */
  drain(): void;
  close(): void;
}

/** HTTP to the client and to the app, request by request, with the client's identity in fields that only we can set. */
export function createHttpProxy(options: HttpProxyOptions): HttpProxy {
  const { upstream, limits, memory, log, accessLog, metrics } = options;
  const requests = metrics.counter('requests_total', 'Requests by status class.', ['class']);
  const agent = new AppAgent(upstream, limits.connectTimeout);
  const sessions = new AppSessions(upstream, limits.connectTimeout);
  const ownName = createOwnName();
  const prefix = randomBytes(6).toString('hex');
  let count = 0;
  const places = createMemoryPlaces(memory);

  const forward = (run: RunningRequest, client: HttpClient, identity: readonly string[]): void => {
    const { exchange } = run;
    const host = exchange.authority || client.facts.enclave;
    const fields = [...identity, 'X-Enclave-Request-Id', run.id];
    if (exchange.websocket) forwardWebSocket(run, agent, host, fields);
    else if (run.grpc) forwardOverHttp2(run, sessions, host, fields);
    else forwardOverHttp1(run, agent, host, fields);
  };

  /** The app gets its own credential, and never a token for this enclave: with one it could act as the user. */
  const keepAppCredential = ({ exchange: { head } }: RunningRequest): void => {
    const { authorization } = head;
    if (authorization !== undefined && !holdsTokenFor(options.audience, authorization))
      head.headers.push('authorization', authorization);
  };

  /** By its token. */
  const judge = async (run: RunningRequest, client: HttpClient): Promise<void> => {
    const { head, out } = run.exchange;
    const token = head.token ?? bearerToken(head.authorization);
    const judged = await options.judgeToken(token);
    if (out.destroyed) return;
    if (judged.ok) {
      options.onLetIn(client.socket);
      run.user = judged.value.user;
      keepAppCredential(run);
      run.release = options.standing.hold(judged.value, {
        judge: () => options.judgeToken(token),
        end: (why) => {
          options.onRefused(why.code, why.message);
          run.refuse(401, 'access-ended', why);
        },
      });
      return forward(run, client, identityHeaders(client.facts, judged.value));
    }
    options.onRefused(judged.code, judged.message);
    const missing = judged.code === 'token-missing' || judged.code === 'token-invalid';
    // Nobody we know: a stranger holds no connection longer than it takes to ask once.
    server(client).dismiss(client);
    return run.refuse(missing ? 401 : 403, 'refused', judged, missing ? ['www-authenticate', 'Bearer'] : []);
  };

  const over = (run: RunningRequest): void => {
    run.release?.();
    const { exchange, outcome, status } = run;
    const gone =
      outcome === 'ok' && !exchange.out.writableFinished && !(exchange.websocket && status === 101);
    run.cancel?.();
    run.cancel = undefined;
    requests.inc({ class: gone ? 'client-gone' : `${Math.floor(status / 100)}xx` });
    accessLog?.write({
      id: run.id,
      user: run.user,
      method: exchange.method,
      path: exchange.path,
      version: exchange.version,
      status,
      bytes: run.bytes,
      milliseconds: performance.now() - run.began,
      outcome: gone ? 'client-gone' : outcome,
    });
  };

  const handle = (
    exchange: Exchange,
    client: HttpClient,
    malformed: Malformed | undefined,
    finished: () => void,
  ): Handled => {
    count += 1;
    const run = new RunningRequest(exchange, `${prefix}-${count.toString(36)}`);
    const { allowed, identity } = client;
    run.user = allowed?.user;
    const leave = places.take(client.who, REQUEST_BYTES[exchange.version]);
    exchange.onClose(() => {
      leave?.();
      over(run);
      finished();
    });
    // Nobody has looked at its token: it is the last of its connection, as one without is.
    if (malformed !== undefined && identity === undefined) server(client).dismiss(client);
    if (malformed !== undefined) {
      const refusal = {
        code: 'request-malformed',
        message: malformed.message,
        remedy: 'Send another request.',
      };
      run.refuse(malformed.status, 'malformed', refusal);
    } else if (leave === undefined && exchange.version === 2) run.turnAway();
    else if (leave === undefined) run.unanswered(503, 'busy', 'too many requests are under way');
    else if (identity !== undefined) {
      keepAppCredential(run);
      forward(run, client, identity);
    } else
      judge(run, client).catch((error: unknown) => {
        log.error({ reason: explain(error) }, 'token could not be judged');
        exchange.abort(constants.NGHTTP2_INTERNAL_ERROR);
      });
    return run;
  };

  const { idleTimeout, requestTimeout } = limits;
  const http1 = createHttp1Server({ idleTimeout, requestTimeout, handle });
  const http2 = createHttp2Server({ idleTimeout, requestTimeout, handle });
  const server = ({ socket }: HttpClient) => (socket.alpnProtocol === 'h2' ? http2 : http1);

  return {
    reserve: (who) => places.hold(who, CONNECTION_BYTES),
    serve: (socket, allowed) =>
      new Promise((resolve) => {
        const client = httpClient(options.enclave, socket, allowed, ownName(socket));
        socket.once('close', () => resolve());
        server(client).serve(client);
      }),
    drain: () => {
      http1.drain();
      http2.drain();
    },
    close: () => {
      agent.destroy();
      sessions.close();
      accessLog?.flush();
    },
  };
}
