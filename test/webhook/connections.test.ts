import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { limitConnections } from '../../webhook/connections.ts';
import { until } from '../support/until.ts';

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const each of undo.splice(0).reverse()) await each();
});

const OPERATOR = '127.0.0.1';
const STRANGER = '127.0.0.77';

/** A server of four connections at most. `prove` counts a review on the server's end of one. */
async function start() {
  const server = createServer();
  let ended = 0;
  const { proven } = limitConnections(server, 4, () => {
    ended += 1;
  });
  const accepted = new Map<number, Socket>();
  server.on('connection', (socket) =>
    accepted.set(
      socket.remotePort ?? 0,
      socket.on('error', () => undefined),
    ),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  undo.push(() => server.close());
  const { port } = server.address() as AddressInfo;
  const dial = async (localAddress: string) => {
    const socket = connect({ host: '127.0.0.1', port, localAddress }).on('error', () => undefined);
    undo.push(() => socket.destroy());
    await once(socket, 'connect');
    const at = socket.localPort ?? 0;
    await until('accepted', async () => accepted.has(at));
    const prove = (): void => {
      const there = accepted.get(at);
      if (there) proven(there);
    };
    /** Ends it, until the server has seen that. */
    const leave = async (): Promise<void> => {
      socket.destroy();
      await until('its end is seen', async () => accepted.get(at)?.closed === true);
    };
    return { socket, prove, leave };
  };
  return { dial, ended: () => ended };
}

test('who hold connections do not push out one that works', async () => {
  const { dial, ended } = await start();
  const works = await dial(OPERATOR);
  works.prove();
  const strangers = [await dial(STRANGER), await dial(STRANGER), await dial(STRANGER)];
  await dial(STRANGER);
  await until('the oldest is closed', async () => strangers[0]?.socket.closed === true);
  expect([works, ...strangers].map(({ socket }) => socket.closed)).toEqual([false, true, false, false]);
  expect(ended()).toBe(1);
});

test('nor who have had reviews of their own: of the peer that has most, the one that is used least', async () => {
  const { dial, ended } = await start();
  const works = await dial(OPERATOR);
  const [busy, idle, last] = [await dial(STRANGER), await dial(STRANGER), await dial(STRANGER)];
  for (const each of [works, busy, idle, last, busy]) each.prove();
  const next = await dial(OPERATOR);
  await until('one is closed', async () => [works, idle, busy, next].some(({ socket }) => socket.closed));
  expect([works, idle, busy, next].map(({ socket }) => socket.closed)).toEqual([false, true, false, false]);
  expect(ended()).toBe(1);
});

test('who has gone takes no place, and is not taken for the oldest', async () => {
  const { dial, ended } = await start();
  const works = await dial(OPERATOR);
  works.prove();
  const proven = await dial(OPERATOR);
  proven.prove();
  await proven.leave();
  for (let at = 0; at < 4; at += 1) await (await dial(STRANGER)).leave();
  const strangers = [await dial(STRANGER), await dial(STRANGER), await dial(STRANGER)];
  expect(ended()).toBe(0);
  expect([works, ...strangers].map(({ socket }) => socket.closed)).toEqual([false, false, false, false]);
  await dial(STRANGER);
  await until('the oldest is closed', async () => strangers[0]?.socket.closed === true);
  expect(ended()).toBe(1);
  expect([works, ...strangers].map(({ socket }) => socket.closed)).toEqual([false, true, false, false]);
});

test('who resets a connection and comes from the same port at once is counted like everybody', async () => {
  const { dial, ended } = await start();
  const [first, ...ports] = [await dial(STRANGER), await dial(STRANGER), await dial(STRANGER)].map(
    ({ socket }) => socket,
  );
  const again = async (old: Socket | undefined): Promise<Socket> => {
    const [localAddress, localPort] = [old?.localAddress ?? '', old?.localPort ?? 0];
    const { remotePort: port = 0 } = old ?? {};
    // The server sees the new connection and only then the old one's end.
    old?.resetAndDestroy();
    const socket = connect({ host: '127.0.0.1', port, localAddress, localPort }).on('error', () => undefined);
    undo.push(() => socket.destroy());
    await once(socket, 'connect');
    return socket;
  };
  const held = await Promise.all([first, ...ports].map(again));
  await new Promise((done) => setTimeout(done, 50));
  const more = [await dial(STRANGER), await dial(STRANGER), await dial(STRANGER)].map(({ socket }) => socket);
  await until('two are closed', async () => [...held, ...more].filter(({ closed }) => closed).length === 2);
  expect(ended()).toBe(2);
});
