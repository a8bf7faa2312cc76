import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ConnectionOptions, TLSSocket } from 'node:tls';
import { chainPem, privateKeyPem } from '../../platform/identity/credential.ts';
import { until } from '../support/until.ts';
import { agentFixture, dial, echoApp, startSidecar, undo } from './sidecar-fixture.ts';
import { owner, userCredential } from './trust-fixture.ts';

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
  const file = join(folder, 'client.pem');
  writeFileSync(file, `${chainPem(credential)}${privateKeyPem(credential.privateKey)}`);
  const child = spawn('openssl', ['s_client', '-connect', `${bind}:8443`, '-cert', file, '-key', file]);
  undo.push(() => child.kill('SIGKILL'));
  const gone = once(child, 'exit');
  child.stdin.on('error', () => {});
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
  await until('the handshake', () => said.includes('Verify return code'));
  child.stdin.write(say);
  await gone;
  return said;
}
