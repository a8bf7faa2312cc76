/**
 * Rotation under load: the shipped bundle as a process of its own, and 200 clients that must not notice. The certificate service gives nothing shorter than ten
 * minutes, so a rotation each ten seconds needs an authority of the test's own (behind the agent's real protocol); the sidecar's rule, two thirds of a life of
 * 15 s, is the product's.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
} from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { TLSSocket } from 'node:tls';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { SIDECAR_USER } from '../../injection/template.ts';
import { EVIDENCE_ALPN } from '../../names/wire.ts';
import { bundle } from '../../tools/bundle.ts';
import { agentFixture, dial, httpOver, tokenFile, undo, undoAll } from '../sidecar/sidecar-fixture.ts';
import { startSidecarProcess } from '../sidecar/sidecar-process.ts';
import { owner, userCredential } from '../sidecar/trust-fixture.ts';
import { loopbackAddress } from '../support/loopback-block.ts';
import { until } from '../support/until.ts';

const SECONDS = 120;
const LIFETIME = 15;
const ROTATIONS = 12;
const [LASTING, COMING, ASKING] = [120, 60, 20];
/** About what V8 allows itself in a container of the default 128 MiB; on a large machine it would rather let garbage lie. */
const SMALL_HEAP = ['--max-semi-space-size=1', '--max-old-space-size=64'];
const MOST_KILOBYTES = 100_000;
const NONCE = Buffer.alloc(32, 7).toString('base64url');
const root = process.getuid?.() === 0;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'rotation-'));
  chmodSync(folder, 0o755);
  await bundle({ entry: 'sidecar/main.ts', directory: join(folder, 'dist'), file: 'main', small: true });
});
afterAll(async () => {
  await undoAll();
  rmSync(folder, { recursive: true, force: true });
});

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const leafOf = (socket: TLSSocket): string => sha256(socket.getPeerX509Certificate()?.raw ?? Buffer.alloc(0));

/** One request on a connection that stays; true when the whole answer came. */
function ask(socket: TLSSocket, path: string): Promise<boolean> {
  return new Promise((done) => {
    let text = '';
    const over = (whole: boolean): void => {
      socket.removeListener('data', onData);
      socket.removeListener('close', onClose);
      done(whole);
    };
    const onData = (chunk: Buffer): void => {
      text += chunk.toString('latin1');
      if (text.includes(`\r\n\r\nanswer to ${path}.`)) over(true);
    };
    const onClose = (): void => over(false);
    if (socket.destroyed) return done(false);
    socket.on('data', onData).once('close', onClose);
    socket.write(`GET ${path} HTTP/1.1\r\nhost: enclave\r\n\r\n`);
  });
}

test('a rotation each ten seconds for two minutes under 200 connections: no failed handshake, no request lost, no key file', async () => {
  const agent = await agentFixture();
  agent.lifetime = LIFETIME;
  const app = createServer((request, response) => response.end(`answer to ${request.url}.`));
  await new Promise<void>((listening) => app.listen(0, '127.0.0.1', listening));
  undo.push(() => app.close());
  const cwd = join(folder, 'cwd');
  mkdirSync(cwd, { mode: 0o700 });
  const node = join(folder, 'node');
  cpSync(process.execPath, node);
  const user = String(SIDECAR_USER);
  if (root) chownSync(cwd, SIDECAR_USER, SIDECAR_USER);
  const as = root ? ['setpriv', `--reuid=${user}`, `--regid=${user}`, '--clear-groups'] : [];
  const bind = loopbackAddress();
  const token = tokenFile();
  chmodSync(join(token, '..'), 0o755);
  const sidecar = startSidecarProcess({
    main: join(folder, 'dist', 'main.js'),
    bind,
    agent,
    upstream: String((app.address() as AddressInfo).port),
    tokenFile: token,
    changes: { ENCLAVE_SIDECAR_MODE: 'http' },
    // A write of one byte to any file would end it.
    command: ['prlimit', '--fsize=0', ...as, node, ...SMALL_HEAP],
    cwd,
  });
  undo.push(async () => {
    sidecar.child.kill('SIGKILL');
    await sidecar.gone;
  });
  const page = async (path: string): Promise<string> => (await fetch(`http://${bind}:9464${path}`)).text();
  await until('readiness', async () => (await page('/readyz').catch(() => '')).endsWith('\nok\n'));
  const failedBefore = /^enclave_sidecar_handshake_failures_total (\d+)$/m.exec(await page('/metrics'))?.[1];

  const seen = { handshakes: 0, failed: [] as string[], requests: 0, lost: 0, evidence: 0, unready: 0 };
  const certificates = new Set<string>();
  const end = performance.now() + SECONDS * 1000;
  const going = (): boolean => performance.now() < end;
  const credential = userCredential(owner);
  const open = async (
    options: Parameters<typeof dial>[2] = {},
    own = true,
  ): Promise<TLSSocket | undefined> => {
    seen.handshakes += 1;
    try {
      return await dial(bind, own ? credential : undefined, options);
    } catch (error) {
      seen.failed.push(String(error));
      await pause(100);
      return undefined;
    } finally {
      // The fixture would remember each of them until the end.
      undo.pop();
    }
  };
  const request = async (socket: TLSSocket, path: string): Promise<void> => {
    seen.requests += 1;
    if (!(await ask(socket, path))) seen.lost += 1;
  };
  /** One connection for all of the time. */
  const lasting = async (id: number): Promise<void> => {
    const socket = await open();
    if (socket === undefined) return;
    for (let n = 0; going(); n += 1) {
      await request(socket, `/lasting/${id}/${n}`);
      await pause(400 + Math.random() * 200);
    }
    socket.destroy();
  };
  /** A new handshake each second. */
  const coming = async (id: number): Promise<void> => {
    for (let n = 0; going(); n += 1) {
      const socket = await open();
      if (socket === undefined) continue;
      certificates.add(leafOf(socket));
      await request(socket, `/coming/${id}/${n}`);
      await pause(700 + Math.random() * 300);
      await request(socket, `/coming/${id}/${n}/last`);
      socket.destroy();
    }
  };
  /** Evidence, which must be over the certificate of its own connection. */
  const asking = async (id: number): Promise<void> => {
    const localAddress = `127.72.0.${1 + (id % 4)}`;
    while (going()) {
      const line = connect({ host: bind, port: 8443, localAddress });
      const socket = await open({ ALPNProtocols: [EVIDENCE_ALPN], socket: line }, false);
      if (socket === undefined) continue;
      await pause(500 + Math.random() * 700);
      const leaf = leafOf(socket);
      seen.requests += 1;
      const answer = await httpOver(socket, `/v1/evidence?nonce=${NONCE}`, 'accept: application/json\r\n');
      if (answer.status !== 200) {
        seen.lost += 1;
        continue;
      }
      const statement = JSON.parse(Buffer.from(JSON.parse(answer.body).statement, 'base64').toString());
      expect(statement.certificate).toBe(leaf);
      seen.evidence += 1;
    }
  };
  const size = () => ({
    descriptors: readdirSync(`/proc/${sidecar.child.pid}/fd`).length,
    kilobytes: Number(
      /^RssAnon:\s+(\d+)/m.exec(readFileSync(`/proc/${sidecar.child.pid}/status`, 'utf8'))?.[1],
    ),
  });
  const sizes: ReturnType<typeof size>[] = [];
  const watching = async (): Promise<void> => {
    for (; going(); await pause(10_000)) {
      if (!(await page('/readyz')).endsWith('\nok\n')) seen.unready += 1;
      sizes.push(size());
    }
  };
  const many = (count: number, work: (id: number) => Promise<void>) =>
    Array.from({ length: count }, (_, id) => work(id));
  await Promise.all([
    ...many(LASTING, lasting),
    ...many(COMING, coming),
    ...many(ASKING, asking),
    watching(),
  ]);

  const summary = `${JSON.stringify(seen)} ${agent.issued.length} certificates, ${JSON.stringify(sizes)}`;
  console.log(summary);
  expect(seen, summary).toMatchObject({ failed: [], lost: 0, unready: 0 });
  expect(seen.handshakes).toBeGreaterThan(LASTING + COMING * 30);
  expect(agent.issued.length).toBeGreaterThan(ROTATIONS);
  expect(new Set(agent.keys).size).toBe(agent.issued.length);
  expect(certificates.size).toBeGreaterThanOrEqual(ROTATIONS);
  const metrics = await page('/metrics');
  expect(metrics).toContain(`enclave_sidecar_handshake_failures_total ${failedBefore}\n`);
  expect(metrics).toMatch(/^enclave_sidecar_certificate_failures 0$/m);
  // Nothing is left: neither a file, nor what each rotation might pile up. The first sizes are of a process that still grows into its load.
  expect(readdirSync(cwd)).toEqual([]);
  if (root) expect(filesOf(SIDECAR_USER)).toEqual([]);
  const [early, late] = [sizes[3], sizes.at(-1)];
  expect(late?.kilobytes, summary).toBeLessThan((early?.kilobytes ?? 0) * 1.35);
  expect(late?.kilobytes, summary).toBeLessThan(MOST_KILOBYTES);
  await until('the connections are given back', () => size().descriptors < 60);
  sidecar.child.kill('SIGTERM');
  expect(await sidecar.gone).toEqual([0, null]);
}, 240_000);

/** Files of this user in the folders that anybody may write to. */
function filesOf(uid: number): string[] {
  return execFileSync(
    'find',
    ['/tmp', '/var/tmp', '/dev/shm', '/run', '-xdev', '-uid', String(uid), '-type', 'f'],
    {
      encoding: 'utf8',
    },
  )
    .split('\n')
    .filter((line) => line !== '');
}
