import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { encodePem } from '../../formats/x509/pem.ts';
import { createHealth } from '../../platform/health/health.ts';
import { type Credential, chainPem, privateKeyPem } from '../../platform/identity/credential.ts';
import { systemClock } from '../../platform/run/clock.ts';
import { app } from '../../sidecar/app.ts';
import { loopbackAddress } from '../support/loopback-block.ts';
import { recordingLogger } from '../support/recording-logger.ts';
import { recordingMetrics } from '../support/recording-metrics.ts';
import { type FakeAgent, startFakeAgent } from './fake-agent.ts';
import { authorities, ENCLAVE, keySha256, NODE, owner, rootsText, SERVER_NAME } from './trust-fixture.ts';

type SidecarContext = Parameters<typeof app>[0];

/** Undone after each test, last first. */
export const undo: (() => unknown)[] = [];
export async function undoAll(): Promise<void> {
  for (const each of undo.splice(0).reverse()) await each();
}

export function tokenFile(): string {
  const folder = mkdtempSync(join(tmpdir(), 'sidecar-'));
  undo.push(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'token'), 'the-token\n');
  return join(folder, 'token');
}

export async function agentFixture(name?: string): Promise<FakeAgent> {
  const agent = await startFakeAgent(loopbackAddress(), name);
  undo.push(() => agent.close());
  return agent;
}

/** An app: what it gets, it sends back; how often it was dialled is counted. */
export async function echoApp(handle: (socket: Socket) => void = (socket) => void socket.pipe(socket)) {
  const state = { dialled: 0, port: 0 };
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    state.dialled += 1;
    socket.on('error', () => {});
    handle(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  state.port = (server.address() as AddressInfo).port;
  undo.push(() => server.close());
  return state;
}

/** The sidecar in this process, with the real wiring. */
export function startSidecar(
  agent: FakeAgent,
  changes: Partial<SidecarContext['config']> & { upstream: string },
  clock = systemClock,
) {
  const bind = loopbackAddress();
  const abort = new AbortController();
  const { log, lines } = recordingLogger();
  const metrics = recordingMetrics();
  const health = createHealth();
  const config: SidecarContext['config'] = {
    bind,
    healthPort: 0,
    logLevel: 'debug',
    shutdownTimeout: 3000,
    config: undefined,
    roots: rootsText,
    enclave: ENCLAVE,
    enclaveDomain: SERVER_NAME.slice(ENCLAVE.length + 1),
    ownerKey: keySha256(owner),
    mode: 'tcp',
    auth: 'mtls',
    alpn: ['http/1.1'],
    keyType: 'p256',
    certificateLifetime: 86_400_000,
    tokenFile: tokenFile(),
    agentHost: agent.host,
    agentPort: agent.port,
    node: NODE,
    podUid: 'u',
    listenPort: 8443,
    trustLimit: 3_600_000,
    connectTimeout: 2000,
    idleTimeout: 60_000,
    requestTimeout: 10_000,
    maxConnections: 200,
    accessLog: 'off',
    ...changes,
  };
  const done = app({
    component: 'sidecar',
    config,
    log,
    metrics,
    health,
    signal: abort.signal,
    clock,
  });
  const stop = async (): Promise<void> => {
    abort.abort();
    await done;
  };
  undo.push(stop);
  return {
    bind,
    health,
    lines,
    metrics,
    stop,
    logged: (text: string) => lines.some((line) => line.includes(text)),
  };
}

/** The client's side: a real TLS connection to the enclave. */
export function dial(
  bind: string,
  credential?: Credential,
  options: ConnectionOptions & { readonly localAddress?: string } = {},
): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      host: bind,
      port: 8443,
      servername: SERVER_NAME,
      ca: encodePem('CERTIFICATE', authorities.enclaves.root),
      ...(credential && { cert: chainPem(credential), key: privateKeyPem(credential.privateKey) }),
      ...options,
    });
    undo.push(() => socket.destroy());
    socket.once('error', reject);
    socket.once('secureConnect', () => {
      socket.removeListener('error', reject);
      socket.on('error', () => {});
      resolve(socket);
    });
  });
}

/** Everything that comes until the other side ends. */
export function drainOf(socket: TLSSocket): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    socket.once('close', () => resolve(text));
    socket.once('end', () => resolve(text));
  });
}

/** One HTTP/1.1 request over an open connection that closes after it. */
export async function httpOver(socket: TLSSocket, path: string, headers = '', method = 'GET') {
  const answer = drainOf(socket);
  socket.write(`${method} ${path} HTTP/1.1\r\nhost: enclave\r\nconnection: close\r\n${headers}\r\n`);
  const text = await answer;
  const [head = '', ...body] = text.split('\r\n\r\n');
  return { status: Number(head.split(' ')[1]), head: head.toLowerCase(), body: body.join('\r\n\r\n') };
}
