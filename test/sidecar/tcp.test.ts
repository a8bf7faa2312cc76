import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ConnectionOptions, TLSSocket } from 'node:tls';
import { afterEach, expect, test } from 'vitest';
import { chainPem, privateKeyPem } from '../../platform/identity/credential.ts';
import { generateKey } from '../../platform/identity/key-pair.ts';
import {
  agentFixture,
  dial,
  drainOf,
  echoApp,
  startSidecar,
  undo,
  undoAll,
  until,
} from './sidecar-fixture.ts';
import { grantFor, owner, userCredential } from './trust-fixture.ts';

afterEach(undoAll);

type Changes = Partial<Parameters<typeof startSidecar>[1]>;

/** A sidecar in tcp mode before an app that does this with each connection of a client (not with those of the readiness probe). */
async function before(handle: (socket: Socket) => void, changes: Changes = {}) {
  const agent = await agentFixture();
  let ready = false;
  const app = await echoApp((socket) => (ready ? handle(socket) : void socket.resume().end()));
  const sidecar = startSidecar(agent, { upstream: String(app.port), ...changes });
  await until(() => sidecar.health.ready().ok, 'readiness');
  ready = true;
  return { ...sidecar, value: (name: string) => sidecar.metrics.values.get(name) ?? 0 };
}

/** Reads and writes on after the other side's end. */
const HALF_OPEN: ConnectionOptions & { allowHalfOpen: boolean } = { allowHalfOpen: true };
const client = (bind: string): Promise<TLSSocket> => dial(bind, userCredential(owner), HALF_OPEN);

/** How a connection ended for the one who reads it: by its end, or by an error. */
function endOf(socket: Socket | TLSSocket): Promise<string> {
  return new Promise((resolve) => {
    socket.once('end', () => resolve('end'));
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    socket.once('close', () => resolve('closed'));
    socket.resume();
  });
}

/** What OpenSSL says of a connection that it uses until the other side ends it. */
async function opensslSays(bind: string, say: string): Promise<string> {
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
  await until(() => said.includes('Verify return code'), 'the handshake');
  child.stdin.write(say);
  await gone;
  return said;
}

test('a half-close travels on in both directions, and what is still said after it arrives', async () => {
  const seen: string[] = [];
  const { bind } = await before((socket) => {
    socket.write('first');
    socket.on('data', (chunk) => void (String(chunk) === 'bye' && socket.end(' last')));
    socket.on('data', (chunk) => void seen.push(String(chunk)));
    socket.on('end', () => void seen.push('end'));
  });
  // The app ends first: the client goes on for a while.
  const one = await client(bind);
  const answer = drainOf(one);
  one.write('bye');
  expect(await answer).toBe('first last');
  expect(one.closed).toBe(false);
  one.write('more');
  await until(() => seen.includes('more'), 'what the client says after the app’s end');
  one.end();
  await until(() => seen.at(-1) === 'end' && one.closed, 'the end');
  // The client ends first: the app answers when it has seen that.
  const late = await before((socket) => void socket.resume().on('end', () => socket.end('after the end')));
  const two = await client(late.bind);
  two.end('all of it');
  expect(await drainOf(two)).toBe('after the end');
});

test('bytes arrive as they were sent, however fast and in whatever pieces', async () => {
  const { bind } = await before((socket) => void socket.pipe(socket));
  const bytes = randomBytes(8_000_000);
  const sent = createHash('sha256').update(bytes).digest('hex');
  await Promise.all(
    [1, 977, 16_384, 65_536, 300_001].map(async (size) => {
      const socket = await client(bind);
      const total = size === 1 ? 5000 : bytes.length;
      const hash = createHash('sha256');
      let got = 0;
      socket.on('data', (chunk: Buffer) => {
        got += chunk.length;
        hash.update(chunk);
      });
      for (let at = 0; at < total; at += size)
        if (!socket.write(bytes.subarray(at, Math.min(total, at + size)))) await once(socket, 'drain');
      socket.end();
      await once(socket, 'end');
      expect(got).toBe(total);
      if (total === bytes.length) expect(hash.digest('hex')).toBe(sent);
    }),
  );
});

test('a reset travels on as a reset, an end as an end', async () => {
  const ends: Promise<string>[] = [];
  const { bind } = await before((socket) => {
    const doing: Record<string, () => unknown> = {
      reset: () => socket.resetAndDestroy(),
      end: () => socket.end(),
      watch: () => ends.push(endOf(socket)),
    };
    socket.once('data', (chunk) => doing[String(chunk).trim()]?.());
  });
  const broken = await client(bind);
  broken.write('reset');
  expect(await endOf(broken)).toBe('ECONNRESET');
  expect(await opensslSays(bind, 'end\n')).not.toMatch(/errno|unexpected eof/i);
  expect(await opensslSays(bind, 'reset\n')).toMatch(/errno|unexpected eof/i);
  const line = connect({ host: bind, port: 8443 });
  const breaking = await dial(bind, userCredential(owner), { socket: line });
  breaking.write('watch');
  await until(() => ends.length === 1, 'the connection at the app');
  line.resetAndDestroy();
  expect(await ends[0]).toBe('ECONNRESET');
});

test('each side is read only as fast as the other takes it', async () => {
  const block = Buffer.alloc(1_000_000, 0x62);
  const most = 200;
  let left = most;
  const give = (socket: Socket | TLSSocket, done: () => void): void => {
    while (left > 0) {
      left -= 1;
      if (!socket.write(block)) return void socket.once('drain', () => give(socket, done));
    }
    done();
  };
  const stopped = async (): Promise<number> => {
    let last = -1;
    await until(async () => {
      const before = last;
      last = left;
      await new Promise((resolve) => setTimeout(resolve, 150));
      return before === left;
    }, 'that nothing moves');
    return most - left;
  };
  // The client does not read: what the app could send is what lies in the kernel and a little here.
  const giving = await before((socket) => give(socket, () => void socket.end()));
  const deaf = await client(giving.bind);
  deaf.pause();
  deaf.write('give');
  expect(await stopped()).toBeLessThan(40);
  let got = 0;
  deaf.on('data', (chunk: Buffer) => {
    got += chunk.length;
  });
  deaf.resume();
  await once(deaf, 'end');
  expect(got).toBe(most * block.length);
  deaf.end();
  // The app does not read.
  left = most;
  let app: Socket | undefined;
  const taking = await before((socket) => {
    app = socket.pause();
  });
  const giver = await client(taking.bind);
  give(giver, () => void giver.end());
  expect(await stopped()).toBeLessThan(40);
  let taken = 0;
  app?.on('data', (chunk) => {
    taken += chunk.length;
  });
  app?.resume();
  await until(() => taken === most * block.length, 'all of it at the app');
});

test('the idle timeout counts both directions; a silent connection is cut, not ended', async () => {
  const ends: Promise<string>[] = [];
  const { bind } = await before(
    (socket) => {
      ends.push(endOf(socket));
      socket.once('data', (chunk) => {
        if (String(chunk) !== 'tell me') return;
        const timer = setInterval(() => socket.write('tick'), 50);
        socket.once('close', () => clearInterval(timer));
      });
    },
    { idleTimeout: 700 },
  );
  const [told, telling, silent] = await Promise.all([client(bind), client(bind), client(bind)]);
  told.write('tell me');
  const toldEnd = endOf(told);
  const tellingEnd = endOf(telling);
  const timer = setInterval(() => telling.write('tick'), 50);
  undo.push(() => clearInterval(timer));
  const since = Date.now();
  expect(await endOf(silent)).toBe('ECONNRESET');
  await until(() => Date.now() - since > 1600, 'twice the timeout');
  expect([told.closed, telling.closed]).toEqual([false, false]);
  told.destroy();
  clearInterval(timer);
  telling.destroy();
  await Promise.all([toldEnd, tellingEnd]);
  expect(await Promise.all(ends)).toContain('ECONNRESET');
});

test('an app that refuses, or does not answer, is told by a clean end, a metric and the log', async () => {
  const agent = await agentFixture();
  // Python listens and never accepts: when its queue is full the kernel answers nobody.
  const python = spawn('python3', [
    '-c',
    'import socket,sys\ns=socket.socket();s.bind(("127.0.0.1",0));s.listen(0);print(s.getsockname()[1],flush=True);sys.stdin.read()',
  ]);
  undo.push(() => python.kill('SIGKILL'));
  const [line] = (await once(python.stdout.setEncoding('utf8'), 'data')) as [string];
  const closed = createServer();
  await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve));
  const address = closed.address();
  closed.close();
  const refusing = typeof address === 'object' && address !== null ? address.port : 0;
  for (const [port, reason] of [
    [Number(line), 'does not answer'],
    [refusing, 'nothing listens'],
  ] as const) {
    const { bind, health, lines, metrics, logged } = startSidecar(agent, {
      upstream: String(port),
      connectTimeout: 300,
    });
    await until(() => !health.ready().ok && logged('certified and attested'), 'the port');
    const full = Array.from({ length: 4 }, () => client(bind));
    await Promise.all(full);
    expect(await opensslSays(bind, 'x')).not.toMatch(/errno|unexpected eof/i);
    await until(() => metrics.values.get('forward_failures_total{}') === 5, 'the metric');
    expect(lines.filter((line) => line.includes('not forwarded') && line.includes(reason)).length).toBe(5);
  }
});

test('an app behind a Unix socket, and one at the pod’s own address, dialled from it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'app-'));
  undo.push(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'app.sock');
  const apps: Socket[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    apps.push(socket.on('error', () => {}));
    socket.pipe(socket);
  });
  server.listen(path);
  undo.push(() => server.close());
  const agent = await agentFixture();
  const unix = startSidecar(agent, { upstream: `unix:${path}` });
  await until(() => unix.health.ready().ok, 'readiness');
  const socket = await client(unix.bind);
  const answer = drainOf(socket);
  socket.end('by file');
  expect(await answer).toBe('by file');
  // A Unix socket knows no reset: the app sees the end of the line.
  const cut = await client(unix.bind);
  cut.write('x');
  await once(cut, 'data');
  cut.destroy();
  await until(() => apps.every((each) => each.closed || each.readableEnded), 'the end at the app');

  const pod = startSidecar(agent, { upstream: 'pod:8080' });
  const from: (string | undefined)[] = [];
  const ofPod = createServer((each) => {
    from.push(each.remoteAddress);
    each.pipe(each);
  });
  await new Promise<void>((resolve) => ofPod.listen(8080, pod.bind, resolve));
  undo.push(() => ofPod.close());
  await until(() => pod.health.ready().ok, 'readiness');
  const direct = await client(pod.bind);
  direct.write('x');
  await once(direct, 'data');
  expect(new Set(from)).toEqual(new Set([pod.bind]));
});

test('one user has three quarters of the places and no more; a place that is left is given again', async () => {
  const { bind, value, logged } = await before((socket) => void socket.pipe(socket), { maxConnections: 8 });
  const works = async (socket: TLSSocket): Promise<boolean> => {
    socket.write('?');
    return Promise.race([once(socket, 'data').then(() => true), once(socket, 'end').then(() => false)]);
  };
  const open: TLSSocket[] = [];
  for (let i = 0; i < 6; i += 1) {
    const socket = await client(bind);
    expect(await works(socket)).toBe(true);
    open.push(socket);
  }
  expect(await works(await client(bind))).toBe(false);
  expect(value('refusals_total{code="too-many-connections"}')).toBe(1);
  const friend = generateKey();
  const other = await dial(bind, userCredential(friend, { user: 'bob', ...grantFor(friend) }));
  expect(await works(other)).toBe(true);
  open[0]?.destroy();
  await until(() => value('connections_active{}') === 6, 'a free place');
  expect(await works(await client(bind))).toBe(true);
  expect(logged('has 6 connections open')).toBe(true);
  // All places taken: who comes is not heard, and counted.
  const more = [client(bind), client(bind)];
  await Promise.allSettled(more);
  await until(() => value('connections_dropped_total{}') > 0, 'the metric');
});

test('the kernel asks clients that are silent whether they are still there', async () => {
  const { bind } = await before((socket) => void socket.pipe(socket));
  const socket = await client(bind);
  socket.write('x');
  await once(socket, 'data');
  const port = (socket.localPort ?? 0).toString(16).toUpperCase().padStart(4, '0');
  // proc_net_tcp: local address, remote address, state, queues, and a timer: 2 is keepalive.
  const timerOf = () =>
    readFileSync('/proc/net/tcp', 'latin1')
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .find((fields) => fields[1]?.endsWith(':20FB') && fields[2]?.endsWith(`:${port}`))?.[5]
      ?.slice(0, 2);
  await until(() => timerOf() === '02', 'the keepalive timer');
});
