import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { connectionCutter } from '../../platform/http/connection-cutter.ts';
import type { Credential } from '../../platform/identity/credential.ts';
import type { Logger } from '../../platform/log/logger.ts';
import { explain } from '../../platform/run/explain.ts';
import { type Live, mapLive } from '../../platform/run/live.ts';
import { reloadOnChange } from '../../platform/tls/reload.ts';
import { serverTlsOptions } from '../../platform/tls/server-options.ts';
import { TpmUnavailable } from '../../tpm/transport/transport.ts';
import type { Caller } from '../caller/caller.ts';
import { type AgentRefusal, type AgentResult, refuseCall } from '../code.ts';
import type { AgentMetrics } from '../metrics.ts';
import type { CallerConnection, Connection } from './connection.ts';
import type { Connections } from './connections.ts';
import { sendProblem } from './problem.ts';
import { type Route, sendAnswer } from './router.ts';

export interface ServeOptions {
  readonly bind: string;
  readonly port: number;
  readonly credential: Live<Credential>;
  readonly routes: ReadonlyMap<string, Route>;
  readonly connections: Connections;
  /** @throws when the API server does not answer */
  authenticate(authorization: string | undefined, remoteAddress: string): Promise<AgentResult<Caller>>;
  readonly log: Logger;
  readonly metrics: Pick<AgentMetrics, 'connections' | 'callers' | 'requests'>;
}

export interface AgentServer {
  readonly port: number;
  /** Takes no new connections, lets requests end for a moment, closes everything. */
  close(): Promise<void>;
}

/** Of all sidecars of the node together; one pod's are limited in `Connections`. */
const MAX_CONNECTIONS = 8_192;
/** Before it is known who calls: each new connection may cost the API server a TokenReview. */
const PER_ADDRESS = 32;
/** HTTP/1.1 pipelining, which a sidecar does not use: one pod must not fill the queue that all share. */
const PIPELINED = 4;
const DRAIN_MS = 3_000;
/** Longer than a sidecar leaves a connection alone: the trust poll and probes come more often. */
const KEEP_ALIVE_MS = 120_000;

/** HTTP/1.1 over TLS 1.3 for sidecars. @throws when the address is taken */
export async function serve(options: ServeOptions): Promise<AgentServer> {
  const { bind, port, credential, log, metrics } = options;
  const tls = mapLive(credential, (current) => ({ credential: current }));
  const bySocket = new WeakMap<Socket, Connection>();
  const server = createServer({
    ...serverTlsOptions(tls.current()),
    keepAliveTimeout: KEEP_ALIVE_MS,
    headersTimeout: 10_000,
    requestTimeout: 30_000,
    connectionsCheckingInterval: 2_000,
    maxHeaderSize: 16_384,
  });
  server.maxConnections = MAX_CONNECTIONS;
  const cut = connectionCutter(server);
  const stopReloading = reloadOnChange(server, tls, (error) =>
    log.error({ error }, 'the old certificate stays'),
  );
  let open = 0;
  const perAddress = new Map<string, number>();
  // Counted from the first packet: handshakes that never end take places as well.
  server.on('connection', (socket: Socket) => {
    const from = socket.remoteAddress ?? '';
    const others = perAddress.get(from) ?? 0;
    if (others >= PER_ADDRESS) {
      socket.destroy();
      return;
    }
    perAddress.set(from, others + 1);
    socket.once('close', () => {
      const left = (perAddress.get(from) ?? 1) - 1;
      if (left > 0) perAddress.set(from, left);
      else perAddress.delete(from);
    });
  });
  server.on('secureConnection', (socket) => {
    const ended = new AbortController();
    const connection: Connection = {
      socket,
      remoteAddress: socket.remoteAddress ?? '',
      signal: ended.signal,
      inFlight: 0,
    };
    bySocket.set(socket, connection);
    metrics.connections.set(++open);
    socket.once('close', () => {
      options.connections.leave(connection);
      metrics.connections.set(--open);
      ended.abort();
    });
  });
  server.on('request', (request, response) => {
    const connection = bySocket.get(request.socket);
    if (connection === undefined) response.destroy();
    else void answer(request, response, connection, options);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: bind, port }, resolve);
  });
  server.on('error', (error) => log.error({ error }, 'the server for sidecars'));
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      stopReloading();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      const timer = setTimeout(cut, DRAIN_MS);
      await closed;
      clearTimeout(timer);
    },
  };
}

/** One request: route, caller, call. Whatever goes wrong ends in an answer. */
async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  connection: Connection,
  options: ServeOptions,
): Promise<void> {
  const { log, metrics, routes } = options;
  const path = (request.url ?? '').split('?', 1)[0] ?? '';
  const route = routes.get(path);
  const label = route === undefined ? 'other' : path;
  connection.inFlight++;
  response.once('close', () => connection.inFlight--);
  try {
    const outcome =
      connection.inFlight > PIPELINED
        ? refuseCall(
            'caller-connections',
            'too many requests at once on a connection',
            'wait for answers',
            100,
          )
        : await handle(request, route, connection, options);
    if (outcome.ok) sendAnswer(response, outcome.value);
    else {
      const { code } = outcome;
      log.info({ path: label, code, pod: connection.caller?.claims.pod.name }, `refused: ${outcome.message}`);
      sendProblem(response, outcome);
    }
    metrics.requests.inc({ path: label, code: outcome.ok ? 'ok' : outcome.code });
  } catch (error) {
    if (connection.signal.aborted) return;
    const refusal = refusalOf(error);
    log[refusal.code === 'agent-fault' ? 'error' : 'warn']({ error, path: label }, explain(error));
    metrics.requests.inc({ path: label, code: refusal.code });
    if (response.headersSent) response.destroy();
    else sendProblem(response, refusal);
  }
}

async function handle(
  request: IncomingMessage,
  route: Route | undefined,
  connection: Connection,
  options: ServeOptions,
): ReturnType<Route['handle']> {
  // Who calls comes first: what is here is nobody else's business.
  const known = await identify(request, connection, options);
  if (!known.ok) return known;
  if (route === undefined)
    return refuseCall(
      'request-path',
      'there is nothing at this path',
      'sidecar and agent must be of one release',
    );
  if (request.method !== route.method)
    return refuseCall('request-method', `${request.method} is not allowed here`, `use ${route.method}`);
  const refusal = (): AgentRefusal | undefined =>
    route.whileTerminating || !known.value.caller.terminating ? undefined : terminating(known.value);
  const before = refusal();
  if (before !== undefined) return before;
  const answer = await route.handle(request, known.value);
  // What was asked before the deletion began is not answered after.
  return refusal() ?? answer;
}

function terminating({ caller }: CallerConnection): AgentRefusal {
  return refuseCall(
    'caller-pod-terminating',
    `pod ${caller.claims.pod.name} is being deleted: it gets trust documents, and nothing else`,
    'its successor calls by itself',
  );
}

/**
 * Who calls, asked once a connection: a client that sends many requests ahead costs the API server one review, and cannot be two
 * callers. Asked again is only what may be otherwise in a moment: the API server was away, or this agent has just started.
 */
async function identify(
  request: IncomingMessage,
  connection: Connection,
  options: ServeOptions,
): Promise<AgentResult<CallerConnection>> {
  const identified = connection.identified ?? establish(request.headers.authorization, connection, options);
  connection.identified = identified;
  const known = await identified;
  const again = !known.ok && known.retryAfterMs !== undefined;
  if (again && connection.identified === identified) connection.identified = undefined;
  return known;
}

async function establish(
  authorization: string | undefined,
  connection: Connection,
  options: ServeOptions,
): Promise<AgentResult<CallerConnection>> {
  let judged: AgentResult<Caller>;
  try {
    judged = await options.authenticate(authorization, connection.remoteAddress);
  } catch (error) {
    options.log.warn({ error }, `the API server does not answer: ${explain(error)}`);
    options.metrics.callers.inc({ code: 'api-server-unavailable' });
    return refuseCall('api-server-unavailable', 'the API server does not answer', 'try again', 500);
  }
  const joined = judged.ok ? options.connections.join(connection, judged.value) : judged;
  options.metrics.callers.inc({ code: joined.ok ? 'ok' : joined.code });
  return joined;
}

function refusalOf(error: unknown): AgentRefusal {
  if (error instanceof TpmUnavailable)
    return refuseCall('tpm-unavailable', "the node's TPM does not answer", 'try again', 1000);
  return refuseCall('agent-fault', 'the agent failed at this request', 'try again; its log says why', 1000);
}
