import { Agent, createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { TLSSocket } from 'node:tls';
import type { Refusal, Result } from '../../formats/bytes/result.ts';
import type { Logger } from '../../platform/log/logger.ts';
import type { Allowed } from '../access/access.ts';
import type { AccessCode } from '../access/code.ts';
import type { StandingAccess } from '../access/standing-access.ts';
import { sendProblem } from '../serve/problem.ts';
import { forwardRequest } from './forward-request.ts';
import type { ProxyLimits } from './tcp-proxy.ts';
import type { UpstreamAddress } from './upstream.ts';

export interface HttpProxyOptions {
  readonly enclave: string;
  readonly upstream: UpstreamAddress;
  readonly limits: ProxyLimits;
  /** Judges one request by its token: asked where the connection's certificate did not decide. */
  judgeToken(authorization: string | undefined): Promise<Result<Allowed, AccessCode>>;
  onRefused(code: AccessCode, message: string): void;
  /** Ends what a token let in when the token does, and when access is taken back. */
  readonly standing: StandingAccess;
  readonly log: Logger;
}

export interface HttpProxy {
  /** Serves one client connection; resolves when it is over. */
  serve(socket: TLSSocket, allowed: Allowed | undefined): Promise<void>;
  /** Ends connections as soon as they have no request under way. */
  drain(): void;
  close(): void;
}

interface Client {
  readonly allowed: Allowed | undefined;
  readonly impatience: NodeJS.Timeout;
  /** Requests under way. */
  active: number;
}

/** HTTP/1.1 to the client and to the app, request by request, with the client's identity in fields that only we can set. */
export function createHttpProxy(options: HttpProxyOptions): HttpProxy {
  const { upstream, limits, log } = options;
  const agent = new Agent({ keepAlive: true, maxFreeSockets: 64, timeout: limits.idleTimeout });
  const clients = new Map<TLSSocket, Client>();
  let draining = false;

  const forwarding = { enclave: options.enclave, upstream, agent, log };
  const forward = (incoming: IncomingMessage, response: ServerResponse, allowed: Allowed): void =>
    forwardRequest(incoming, response, allowed, forwarding);

  const server = createServer(
    { maxHeaderSize: 32_768, keepAliveTimeout: limits.idleTimeout },
    (incoming, response) => {
      const { socket } = incoming;
      const client = socket instanceof TLSSocket ? clients.get(socket) : undefined;
      if (client === undefined) return void response.destroy();
      clearTimeout(client.impatience);
      client.active += 1;
      response.once('close', () => {
        client.active -= 1;
        if (draining && client.active === 0) socket.end();
      });
      if (draining) response.setHeader('connection', 'close');
      const { allowed } = client;
      if (allowed !== undefined) return forward(incoming, response, allowed);
      const judge = () => options.judgeToken(incoming.headers.authorization);
      judge().then(
        (judged) => {
          if (judged.ok) {
            const end = ({ code, message }: Refusal<AccessCode>): void => {
              options.onRefused(code, message);
              socket.destroy();
            };
            response.once('close', options.standing.hold(judged.value, { judge, end }));
            return forward(incoming, response, judged.value);
          }
          options.onRefused(judged.code, judged.message);
          const missing = judged.code === 'token-missing' || judged.code === 'token-invalid';
          if (missing) response.setHeader('www-authenticate', 'Bearer');
          // Nobody we know: a stranger holds no connection longer than it takes to ask once.
          response.setHeader('connection', 'close');
          incoming.resume();
          return sendProblem(response, missing ? 401 : 403, judged);
        },
        (error: unknown) => {
          log.error({ error }, 'token could not be judged');
          response.destroy();
        },
      );
      return undefined;
    },
  );
  server.on('clientError', (_, socket) => socket.destroy());

  return {
    serve: (socket, allowed) =>
      new Promise((resolve) => {
        // A client that never sends a whole header must not hold a connection.
        const impatience = setTimeout(() => socket.destroy(), limits.requestTimeout);
        clients.set(socket, { allowed, impatience, active: 0 });
        socket.setTimeout(limits.idleTimeout, () => socket.destroy());
        socket.once('close', () => {
          clearTimeout(impatience);
          clients.delete(socket);
          resolve();
        });
        server.emit('connection', socket);
      }),
    drain: () => {
      draining = true;
      for (const [socket, { active }] of clients) if (active === 0) socket.end();
    },
    close: () => agent.destroy(),
  };
}
