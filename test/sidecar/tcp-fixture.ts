import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ConnectionOptions, TLSSocket } from 'node:tls';
import { chainPem, privateKeyPem } from '../../platform/identity/credential.ts';
import { until } from '../support/until.ts';
import { agentFixture, dial, echoApp, startSidecar, undo } from './sidecar-fixture.ts';
import { owner, SERVER_NAME, userCredential } from './trust-fixture.ts';

type Changes = Partial<Parameters<typeof startSidecar>[1]>;

/** A sidecar in tcp mode before an app that does this with each connection of a client (not with those of the readiness probe). */
export async function before(handle: (socket: Socket) => void, changes: Changes = {}) {
  const agent = await agentFixture();
  const forwarded = (): number =>
    ['owner', 'grant'].reduce(
      (sum, via) => sum + (sidecar?.metrics.values.get(`connections_total{via="${via}"}`) ?? 0),
      0,
    );
  let handled = 0;
  // Each client's connection is dialled once; what comes besides is the sidecar looking whether the app is there.
  const app = await echoApp((socket) => {
    if (handled >= forwarded()) return void socket.resume().end();
    handled += 1;
    handle(socket);
  });
  let sidecar: ReturnType<typeof startSidecar> | undefined;
  const started = startSidecar(agent, { upstream: String(app.port), ...changes });
  sidecar = started;
  await until('readiness', () => started.health.ready().ok);
  return { ...started, value: (name: string) => started.metrics.values.get(name) ?? 0 };
}

/** Reads and writes on after the other side's end. */
export const HALF_OPEN: ConnectionOptions & { allowHalfOpen: boolean } = { allowHalfOpen: true };
export const client = (bind: string): Promise<TLSSocket> => dial(bind, userCredential(owner), HALF_OPEN);

/** How a connection ended for the one who reads it: by its end, or by an error. */
export function endOf(socket: Socket | TLSSocket): Promise<string> {
  return new Promise((resolve) => {
    socket.once('end', () => resolve('end'));
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    socket.once('close', () => resolve('closed'));
    socket.resume();
  });
}

/** What OpenSSL says of a connection that it uses until the other side ends it. */
export async function opensslSays(bind: string, say: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'client-'));
  undo.push(() => rmSync(folder, { recursive: true }));
  const credential = userCredential(owner);
  writeFileSync(join(folder, 'client.pem'), `${chainPem(credential)}${privateKeyPem(credential.privateKey)}`);
  const client = opensslClient(folder, `-connect ${bind}:8443 -cert client.pem`);
  await until('the handshake', () => client.said().includes('Verify return code'));
  client.stdin.write(say);
  await client.gone;
  return client.said();
}

/** What OpenSSL says of a connection that gave it a session, into a file of that name: then it says something, and ends. */
export async function opensslSession(
  folder: string,
  args: string,
  session: string,
  say = '',
): Promise<string> {
  const file = join(folder, session);
  const client = opensslClient(folder, `-tls1_3 -servername ${SERVER_NAME} -sess_out ${session} ${args}`);
  // Without one it has ended.
  await Promise.race([until('a session', () => existsSync(file) && statSync(file).size > 0), client.gone]);
  client.stdin.end(say);
  await client.gone;
  return client.said();
}

function opensslClient(cwd: string, args: string) {
  const child = spawn('openssl', ['s_client', ...args.split(' ')], { cwd });
  undo.push(() => child.kill('SIGKILL'));
  child.stdin.on('error', () => {});
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
  return { stdin: child.stdin, gone: once(child, 'close'), said: () => said };
}
