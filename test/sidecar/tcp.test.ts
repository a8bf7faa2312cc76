import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { afterEach, expect, test } from 'vitest';
import { until } from '../support/until.ts';
import { untilStill } from '../support/until-still.ts';
import { agentFixture, dial, drainOf, startSidecar, undo, undoAll } from './sidecar-fixture.ts';
import { before, client, endOf, opensslSays } from './tcp-fixture.ts';
import { owner, userCredential } from './trust-fixture.ts';

afterEach(undoAll);

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
  await until('what the client says after the app’s end', () => seen.includes('more'));
  one.end();
  await until('the end', () => seen.at(-1) === 'end' && one.closed);
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
  await until('the connection at the app', () => ends.length === 1);
  line.resetAndDestroy();
  expect(await ends[0]).toBe('ECONNRESET');
});

test('each side is read only as fast as the other takes it, and what waited arrives as it was sent', async () => {
  const block = randomBytes(499_979);
  const [most, bound] = [140, 80];
  let left = most;
  const give = (socket: Socket | TLSSocket): void => {
    while (left > 0) {
      left -= 1;
      if (!socket.write(block)) return void socket.once('drain', () => give(socket));
    }
    socket.end();
  };
  const stopped = (): Promise<number> => untilStill('what was given', () => most - left);
  const all = createHash('sha256');
  for (let i = 0; i < most; i += 1) all.update(block);
  const sent = all.digest('hex');
  const take = async (socket: Socket | TLSSocket): Promise<string> => {
    const hash = createHash('sha256');
    for await (const chunk of socket as AsyncIterable<Buffer>) hash.update(chunk);
    return hash.digest('hex');
  };
  // The client does not read: what the app could send is what lies in the kernel and a little here.
  const giving = await before(give);
  const deaf = await client(giving.bind);
  deaf.pause();
  expect(await stopped()).toBeLessThan(bound);
  expect(await take(deaf)).toBe(sent);
  deaf.end();
  // The app does not read.
  left = most;
  const apps: Socket[] = [];
  const taking = await before((socket) => void apps.push(socket.pause()));
  const giver = await client(taking.bind);
  give(giver);
  expect(await stopped()).toBeLessThan(bound);
  const [app] = apps;
  expect(app && (await take(app))).toBe(sent);
});

test('small pieces that had to wait arrive as they were sent', async () => {
  const bytes = randomBytes(24_000_000);
  const { bind } = await before(async (socket) => {
    for (let at = 0; at < bytes.length; at += 3001)
      if (!socket.write(bytes.subarray(at, at + 3001))) await once(socket, 'drain');
    socket.end();
  });
  const socket = await client(bind);
  const got: Buffer[] = [];
  // Stops again and again, so that the sidecar has to hold back what it read.
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    got.push(chunk);
    if (got.length % 100 === 0) await new Promise((resolve) => setTimeout(resolve, 20));
  }
  expect(Buffer.concat(got).equals(bytes)).toBe(true);
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
  await until('readiness', () => unix.health.ready().ok);
  const socket = await client(unix.bind);
  const answer = drainOf(socket);
  socket.end('by file');
  expect(await answer).toBe('by file');
  // A Unix socket knows no reset: the app sees the end of the line.
  const cut = await client(unix.bind);
  cut.write('x');
  await once(cut, 'data');
  cut.destroy();
  await until('the end at the app', () => apps.every((each) => each.closed || each.readableEnded));

  const pod = startSidecar(agent, { upstream: 'pod:8080' });
  const from: (string | undefined)[] = [];
  const ofPod = createServer((each) => {
    from.push(each.remoteAddress);
    each.pipe(each);
  });
  await new Promise<void>((resolve) => ofPod.listen(8080, pod.bind, resolve));
  undo.push(() => ofPod.close());
  await until('readiness', () => pod.health.ready().ok);
  const direct = await client(pod.bind);
  direct.write('x');
  await once(direct, 'data');
  expect(new Set(from)).toEqual(new Set([pod.bind]));
});
