import {
  Agent,
  type ClientRequest,
  createServer,
  type IncomingMessage,
  request,
  type ServerResponse,
} from 'node:http';
import { TLSSocket } from 'node:tls';
import type { Result } from '../../formats/bytes/result.ts';
import type { Logger } from '../../platform/log/logger.ts';
import { explain } from '../../platform/run/explain.ts';
import type { Allowed } from '../access/access.ts';
import type { AccessCode } from '../access/code.ts';
import { sendProblem } from '../serve/problem.ts';
import { requestHeaders, responseHeaders } from './http-headers.ts';
import type { ProxyLimits } from './tcp-proxy.ts';
import type { UpstreamAddress } from './upstream.ts';

export interface HttpProxyOptions {
  readonly enclave: string;
  readonly upstream: UpstreamAddress;
  readonly limits: ProxyLimits;
  /** Judges one request by its token: asked where the connection's certificate did not decide. */
  judgeToken(authorization: string | undefined): Promise<Result<Allowed, AccessCode>>;
  onRefused(code: AccessCode, message: string): void;
  readonly log: Logger;
}

export interface HttpProxy {
  /** Serves one client connection; resolves when it is over. */
  serve(socket: TLSSocket, allowed: Allowed | undefined): Promise<void>;
  close(): void;
}

/** A client that never sends its first header must not hold a connection. */
const FIRST_REQUEST_MS = 10_000;

/** HTTP/1.1 to the client and to the app, request by request, with the client's identity in fields that only we can set. */
export function createHttpProxy(options: HttpProxyOptions): HttpProxy {
  const { upstream, limits, log } = options;
  const agent = new Agent({ keepAlive: true, maxFreeSockets: 64, timeout: limits.idleTimeout });
  const target = 'path' in upstream ? { socketPath: upstream.path } : upstream;
  const clients = new Map<TLSSocket, Allowed | undefined>();

  const forward = (incoming: IncomingMessage, response: ServerResponse, allowed: Allowed): void => {
    const fail = (error: unknown): void => {
      log.info({ reason: explain(error) }, 'request not forwarded');
      const message = `the app does not answer: ${explain(error)}`;
      sendProblem(response, 502, {
        code: 'upstream',
        message,
        remedy: 'Try again; if it stays, ask the enclave’s owner.',
      });
    };
    let outgoing: ClientRequest;
    try {
      const headers = requestHeaders(incoming, options.enclave, allowed);
      outgoing = request({
        ...target,
        agent,
        method: incoming.method,
        path: incoming.url,
        headers,
        setHost: false,
      });
    } catch (error) {
      // Node refuses to write what a lenient parser let in.
      incoming.resume();
      fail(error);
      return;
    }
    outgoing.once('error', fail);
    outgoing.once('response', (answer) => {
      answer.once('error', () => response.destroy());
      response.writeHead(answer.statusCode ?? 502, answer.statusMessage, responseHeaders(answer));
      answer.pipe(response);
    });
    incoming.once('error', () => outgoing.destroy());
    response.once('close', () => {
      if (!response.writableFinished) outgoing.destroy();
    });
    incoming.pipe(outgoing);
  };

  const server = createServer({ maxHeaderSize: 32_768 }, (incoming, response) => {
    const { socket } = incoming;
    if (!(socket instanceof TLSSocket) || !clients.has(socket)) return void response.destroy();
    const allowed = clients.get(socket);
    if (allowed !== undefined) return forward(incoming, response, allowed);
    options.judgeToken(incoming.headers.authorization).then(
      (judged) => {
        if (judged.ok) return forward(incoming, response, judged.value);
        options.onRefused(judged.code, judged.message);
        const missing = judged.code === 'token-missing' || judged.code === 'token-invalid';
        if (missing) response.setHeader('www-authenticate', 'Bearer');
        incoming.resume();
        return sendProblem(response, missing ? 401 : 403, judged);
      },
      (error: unknown) => {
        log.error({ error }, 'token could not be judged');
        response.destroy();
      },
    );
    return undefined;
  });
  server.on('clientError', (_, socket) => socket.destroy());

  return {
    serve: (socket, allowed) =>
      new Promise((resolve) => {
        clients.set(socket, allowed);
        const timer = setTimeout(() => socket.destroy(), FIRST_REQUEST_MS);
        socket.once('data', () => clearTimeout(timer));
        socket.setTimeout(limits.idleTimeout, () => socket.destroy());
        socket.once('close', () => {
          clearTimeout(timer);
          clients.delete(socket);
          resolve();
        });
        server.emit('connection', socket);
      }),
    close: () => agent.destroy(),
  };
}
