import { createPublicKey } from 'node:crypto';
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2';
import { exportJWK, type JWTPayload, SignJWT } from 'jose';
import type { TokenKey } from '../../formats/evidence/trust-document.ts';
import { ERROR_DOMAIN } from '../../names/wire.ts';
import type { Credential } from '../../platform/identity/credential.ts';
import { generateKey } from '../../platform/identity/key-pair.ts';
import { until } from '../support/until.ts';
import { agentFixture, dial, startSidecar, undo } from './sidecar-fixture.ts';
import { SERVER_NAME, unixNow } from './trust-fixture.ts';

function echo(request: IncomingMessage, response: ServerResponse): void {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    response.setHeader('keep-alive', 'timeout=77');
    response.writeHead(201, { 'x-app': 'yes' }).end(Buffer.concat(chunks));
  });
}

/** An HTTP/1.1 app; by default it answers with what it was sent. */
export async function httpApp(handle: RequestListener = echo, path?: string) {
  const requests: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    requests.push(request);
    handle(request, response);
  });
  await new Promise<void>((resolve) =>
    path === undefined ? server.listen(0, '127.0.0.1', resolve) : server.listen(path, resolve),
  );
  undo.push(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  return { requests, server, port: typeof address === 'object' && address !== null ? address.port : 0 };
}

type Changes = Omit<Parameters<typeof startSidecar>[1], 'upstream'>;

/** A sidecar in http mode before an app that listens there. */
export async function httpSidecar(upstream: string, changes: Changes = {}) {
  const agent = await agentFixture();
  const sidecar = startSidecar(agent, { upstream, mode: 'http', ...changes });
  await until('readiness', () => sidecar.health.ready().ok);
  return { agent, ...sidecar };
}

export async function httpEnclave(changes: Changes = {}, handle?: RequestListener) {
  const app = await httpApp(handle);
  return { app, ...(await httpSidecar(String(app.port), changes)) };
}

/** An HTTP/2 connection to the enclave. */
export async function dialHttp2(bind: string, credential?: Credential): Promise<ClientHttp2Session> {
  const socket = await dial(bind, credential, { ALPNProtocols: ['h2'] });
  const session = connect(`https://${SERVER_NAME}`, { createConnection: () => socket });
  session.on('error', () => {});
  undo.push(() => session.destroy());
  return session;
}

export interface Http2Answer {
  readonly status: number;
  readonly headers: readonly string[];
  readonly body: string;
  readonly trailers: readonly string[];
  readonly rstCode: number;
}

/** All of what comes back on a stream. */
export function answerOf(stream: ClientHttp2Stream): Promise<Http2Answer> {
  return new Promise((resolve) => {
    let [status, body] = [0, ''];
    let headers: readonly string[] = [];
    let trailers: readonly string[] = [];
    stream.on('error', () => {});
    stream.once('response', (head, _flags, raw: readonly string[]) => {
      status = Number(head[':status']);
      headers = raw;
    });
    stream.on('trailers', (_head, _flags, raw: readonly string[]) => {
      trailers = raw;
    });
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      body += chunk;
    });
    stream.once('close', () => resolve({ status, headers, body, trailers, rstCode: stream.rstCode ?? 0 }));
  });
}

/** Front's side of `auth: jwt`: a key for the trust document, and tokens by it. */
export async function tokenIssuer() {
  const key = generateKey();
  const jwk = await exportJWK(createPublicKey(key.privateKey));
  const tokenKeys = { keys: [{ ...jwk, kid: 'k1', alg: 'ES256' } as TokenKey] };
  const token = (claims: JWTPayload = {}, signer = key): Promise<string> =>
    new SignJWT({ iss: ERROR_DOMAIN, sub: 'carol', aud: SERVER_NAME, exp: unixNow() + 60, ...claims })
      .setProtectedHeader({ alg: 'ES256', kid: 'k1' })
      .sign(signer.privateKey);
  return { tokenKeys, token };
}
