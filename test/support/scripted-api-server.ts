import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import { afterEach } from 'vitest';
import { encodePem } from '../../formats/x509/pem.ts';
import { connectionCutter } from '../../platform/http/connection-cutter.ts';
import { createKube } from '../../platform/kube/create-kube.ts';
import type { Kube } from '../../platform/kube/kube.ts';
import { serverTlsOptions } from '../../platform/tls/server-options.ts';
import { freePorts } from '../../tools/cluster/free-ports.ts';
import { createTestAuthority } from './test-authority.ts';

export interface ScriptedCall {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly authorization: string | undefined;
  readonly contentType: string | undefined;
  readonly body: unknown;
  /** Answers with JSON and ends. */
  answer(status: number, object: unknown): void;
  /** Sends watch events (any text) and keeps the answer open until `response.end()` or `destroy()`. */
  readonly response: ServerResponse;
}

export interface ScriptedApiServer {
  readonly kube: Kube;
  readonly port: number;
  /** Resolves with the next call that no one has taken yet. */
  next(): Promise<ScriptedCall>;
  /** Goes away: connections cut, port shut. */
  stop(): Promise<void>;
  /** Comes back on the same port. */
  start(): Promise<void>;
}

/** The API server's end of the wire, driven by a test line by line: for what a well-behaved server does not do on request. */
export async function scriptedApiServer(token = (): string => 'token'): Promise<ScriptedApiServer> {
  const authority = createTestAuthority('api server');
  const options = serverTlsOptions({ credential: authority.issue({ dns: ['localhost'] }) });
  const calls: ScriptedCall[] = [];
  const waiting: ((call: ScriptedCall) => void)[] = [];
  let server: Server | undefined;
  let cut = (): void => {};
  // It comes back at the same one.
  const [port = 0] = await freePorts(1);
  const start = (): Promise<void> => {
    const fresh = createServer(options, (request, response) => {
      void describe(request, response).then((call) => {
        const taker = waiting.shift();
        if (taker) taker(call);
        else calls.push(call);
      });
    });
    server = fresh;
    cut = connectionCutter(fresh);
    return new Promise((resolve) => {
      fresh.listen(port, '127.0.0.1', resolve);
    });
  };
  const stop = (): Promise<void> =>
    new Promise((resolve) => {
      server?.close(() => resolve());
      cut();
    });
  await start();
  const ca = encodePem('CERTIFICATE', authority.root);
  const kube = createKube({ server: `https://localhost:${port}`, ca: () => ca, token });
  const next = (): Promise<ScriptedCall> => {
    const call = calls.shift();
    return call ? Promise.resolve(call) : new Promise((resolve) => waiting.push(resolve));
  };
  return { kube, port, next, stop, start };
}

async function describe(request: IncomingMessage, response: ServerResponse): Promise<ScriptedCall> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const url = new URL(request.url ?? '/', 'https://localhost');
  const text = Buffer.concat(chunks).toString();
  return {
    method: request.method ?? '',
    path: url.pathname,
    query: url.searchParams,
    authorization: request.headers.authorization,
    contentType: request.headers['content-type'],
    body: text === '' ? undefined : JSON.parse(text),
    answer: (status, object) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(object)),
    response,
  };
}

/** Makes servers that end after the test that made them. */
export function scriptedApiServers(): () => Promise<ScriptedApiServer> {
  const made: ScriptedApiServer[] = [];
  afterEach(async () => {
    for (const each of made.splice(0)) {
      each.kube.close();
      await each.stop();
    }
  });
  return async () => {
    const server = await scriptedApiServer();
    made.push(server);
    return server;
  };
}
