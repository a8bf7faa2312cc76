import { Agent, type ClientRequest, type IncomingMessage, request, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { HttpForwardOptions } from './forward-http.ts';
import { forwardedFields } from './forwarded-fields.ts';

export interface Http1Relay {
  readonly request: (incoming: IncomingMessage, response: ServerResponse) => void;
  readonly upgrade: (incoming: IncomingMessage, local: Duplex, head: Buffer) => void;
  close(): void;
}

const ALPN = ['http/1.1'];

/** Attested connections, kept for the next request. */
class AttestedAgent extends Agent {
  readonly #connect: () => Promise<Duplex>;

  constructor(connect: () => Promise<Duplex>) {
    super({ keepAlive: true, maxFreeSockets: 16, timeout: 60_000 });
    this.#connect = connect;
  }

  override createConnection(
    _options: object,
    callback?: (error: Error | null, stream: Duplex) => void,
  ): undefined {
    this.#connect().then(
      (socket) => callback?.(null, socket),
      // Node's callback takes no stream beside an error.
      (error: Error) => callback?.(error, undefined as unknown as Duplex),
    );
    return undefined;
  }
}

/** Requests of local programs over HTTP/1.1, each with the user's token. */
export function relayHttp1({ connector, token, onFailure, signal }: HttpForwardOptions): Http1Relay {
  const agent = new AttestedAgent(() => connector.connect(ALPN));
  const send = async (incoming: IncomingMessage, more: readonly string[]): Promise<ClientRequest> => {
    const { method = 'GET', url = '/' } = incoming;
    const headers = [...forwardedFields(incoming.rawHeaders), ...more, 'X-Enclave-Token', await token()];
    return request({ agent, method, path: url, headers, setHost: false });
  };
  const relay = async (
    incoming: IncomingMessage,
    response: ServerResponse,
    more: readonly string[],
    switched?: (outgoing: ClientRequest) => void,
  ): Promise<void> => {
    const fail = (error: unknown): void => {
      if (!signal.aborted && !response.destroyed) onFailure(error);
      if (response.headersSent) response.destroy();
      else response.writeHead(502, { connection: 'close' }).end();
    };
    response.on('error', () => undefined);
    incoming.on('error', () => undefined);
    try {
      const outgoing = await send(incoming, more);
      outgoing.on('error', fail);
      outgoing.on('continue', () => response.writeContinue());
      outgoing.once('response', (answer) => {
        answer.on('error', () => response.destroy());
        answer.once('end', () => {
          if (answer.rawTrailers.length > 0 && response.chunkedEncoding)
            response.addTrailers({ ...answer.trailers });
        });
        response.writeHead(answer.statusCode ?? 502, forwardedFields(answer.rawHeaders));
        answer.pipe(response);
      });
      switched?.(outgoing);
      response.once('close', () => {
        if (!response.writableFinished) outgoing.destroy();
      });
      const { 'content-length': length, 'transfer-encoding': encoding } = incoming.headers;
      if (length === undefined && encoding === undefined) outgoing.end();
      else {
        outgoing.flushHeaders();
        incoming.pipe(outgoing);
      }
    } catch (error) {
      incoming.resume();
      fail(error);
    }
  };

  return {
    request: (incoming, response) => {
      const chunked = incoming.headers['transfer-encoding'] !== undefined;
      void relay(incoming, response, chunked ? ['Transfer-Encoding', 'chunked'] : []);
    },
    upgrade: (incoming, local, head) => {
      const response = new ServerResponse(incoming);
      response.assignSocket(incoming.socket);
      response.shouldKeepAlive = false;
      response.once('finish', () => local.end());
      if (head.length > 0) local.unshift(head);
      void relay(incoming, response, ['Connection', 'Upgrade', 'Upgrade', 'websocket'], (outgoing) => {
        outgoing.once('upgrade', (answer, remote, rest) => {
          if (rest.length > 0) remote.unshift(rest);
          response.detachSocket(incoming.socket);
          const fields = [
            'Connection',
            'Upgrade',
            'Upgrade',
            'websocket',
            ...forwardedFields(answer.rawHeaders),
          ];
          let text = 'HTTP/1.1 101 Switching Protocols\r\n';
          for (let i = 0; i + 1 < fields.length; i += 2) text += `${fields[i]}: ${fields[i + 1]}\r\n`;
          local.write(`${text}\r\n`, 'latin1');
          both(local, remote);
        });
      });
    },
    close: () => agent.destroy(),
  };
}

function both(local: Duplex, remote: Duplex): void {
  for (const [side, other] of [
    [local, remote],
    [remote, local],
  ] as const) {
    side.on('error', () => other.destroy());
    side.once('close', () => other.destroy());
    side.pipe(other);
  }
}
