import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { afterEach, expect, test } from 'vitest';
import { generateKey } from '../../platform/identity/key-pair.ts';
import { freePorts } from '../../tools/cluster/free-ports.ts';
import { tcpTable } from '../support/tcp-table.ts';
import { until } from '../support/until.ts';
import { agentFixture, dial, drainOf, startSidecar, undo, undoAll } from './sidecar-fixture.ts';
import { before, client, endOf, opensslSays } from './tcp-fixture.ts';
import { grantFor, owner, userCredential } from './trust-fixture.ts';

afterEach(undoAll);

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
    { idleTimeout: 1200 },
  );
  const [told, telling, silent] = await Promise.all([client(bind), client(bind), client(bind)]);
  told.write('tell me');
  const toldEnd = endOf(told);
  const tellingEnd = endOf(telling);
  const timer = setInterval(() => telling.write('tick'), 50);
  undo.push(() => clearInterval(timer));
  const since = Date.now();
  expect(await endOf(silent)).toBe('ECONNRESET');
  await until('twice the timeout', () => Date.now() - since > 2700);
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
  const [refusing = 0] = await freePorts(1);
  for (const [port, reason] of [
    [Number(line), 'does not answer'],
    [refusing, 'nothing listens'],
  ] as const) {
    const { bind, health, lines, metrics, logged } = startSidecar(agent, {
      upstream: String(port),
      connectTimeout: 300,
    });
    await until('the port', () => !health.ready().ok && logged('certified and attested'));
    const full = Array.from({ length: 4 }, () => client(bind));
    await Promise.all(full);
    expect(await opensslSays(bind, 'x')).not.toMatch(/errno|unexpected eof/i);
    await until('the metric', () => metrics.values.get('forward_failures_total{}') === 5);
    expect(lines.filter((line) => line.includes('not forwarded') && line.includes(reason)).length).toBe(5);
  }
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
  await until('a free place', () => value('connections_active{}') === 6);
  expect(await works(await client(bind))).toBe(true);
  expect(logged('has 6 connections open')).toBe(true);
  // All places taken: who comes is not heard, and counted.
  const more = [client(bind), client(bind)];
  await Promise.allSettled(more);
  await until('the metric', () => value('connections_dropped_total{}') > 0);
});

test('the kernel asks clients that are silent whether they are still there', async () => {
  const { bind } = await before((socket) => void socket.pipe(socket));
  const socket = await client(bind);
  socket.write('x');
  await once(socket, 'data');
  const [ours, theirs] = [`${socket.localAddress}:${socket.localPort}`, `${bind}:8443`];
  await until('the keepalive timer', () =>
    tcpTable().some(({ local, remote, keepalive }) => local === theirs && remote === ours && keepalive),
  );
});

test('a handshake that began before the drain is ended cleanly: nothing new reaches the app', async () => {
  let dialled = 0;
  const { bind, stop, value } = await before((socket) => {
    dialled += 1;
    socket.pipe(socket);
  });
  const line = connect({ host: bind, port: 8443 });
  await once(line, 'connect');
  // Accepted after it.
  const stands = await client(bind);
  stands.write('x');
  await once(stands, 'data');
  const stopping = stop();
  const late = await dial(bind, userCredential(owner), { socket: line });
  expect(await drainOf(late)).toBe('');
  expect([dialled, value('connections_total{via="owner"}')]).toEqual([1, 1]);
  stands.end();
  await stopping;
});
