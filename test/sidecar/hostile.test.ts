import { connect } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { EVIDENCE_ALPN } from '../../names/wire.ts';
import { until } from '../support/until.ts';
import {
  agentFixture,
  dial,
  drainOf,
  echoApp,
  httpOver,
  startSidecar,
  undo,
  undoAll,
} from './sidecar-fixture.ts';
import { owner, userCredential } from './trust-fixture.ts';

afterEach(undoAll);

const EVIDENCE = { ALPNProtocols: [EVIDENCE_ALPN] };

function raw(bind: string) {
  const socket = connect({ host: bind, port: 8443 });
  undo.push(() => socket.destroy());
  socket.on('error', () => {});
  return socket;
}

test('whoever plays tricks, the others are served', async () => {
  const agent = await agentFixture();
  const app = await echoApp();
  const { bind, health, metrics } = startSidecar(agent, { upstream: String(app.port), maxConnections: 200 });
  await until('readiness', () => health.ready().ok);
  const works = async () => {
    const socket = await dial(bind, userCredential(owner));
    const answer = drainOf(socket);
    socket.end('served');
    expect(await answer).toBe('served');
  };
  // Handshakes that never go on, noise, plain HTTP, a ClientHello cut short.
  for (let i = 0; i < 40; i += 1) raw(bind);
  raw(bind).write(Buffer.alloc(4096, 0x41));
  raw(bind).write('GET / HTTP/1.1\r\nhost: e\r\n\r\n');
  raw(bind).write(Buffer.from('16030100c8010000c40303', 'hex'));
  await works();
  // A header of 64 KB, a header that never ends, a body where there is none, a client that does not read.
  const large = await dial(bind, undefined, EVIDENCE);
  const cut = drainOf(large);
  large.write(`GET /v1/access-decision HTTP/1.1\r\nx: ${'y'.repeat(65_536)}\r\n\r\n`);
  expect(await cut).not.toContain('200 OK');
  (await dial(bind, undefined, EVIDENCE)).write('GET / HTTP/1.1\r\nslow: ');
  const body = await dial(bind, undefined, EVIDENCE);
  body.write('GET /v1/access-decision HTTP/1.1\r\nhost: e\r\ncontent-length: 999999\r\n\r\nx');
  const deaf = await dial(bind, undefined, EVIDENCE);
  deaf.pause();
  const ask = 'GET /v1/access-decision HTTP/1.1\r\nhost: e\r\n\r\n';
  deaf.write(ask.repeat(60));
  await works();
  // More evidence connections than one peer may have: the first go.
  const many = await Promise.all(Array.from({ length: 20 }, () => dial(bind, undefined, EVIDENCE)));
  await until('a connection too many', () => many.some((socket) => socket.destroyed || socket.readableEnded));
  await works();
  expect(metrics.values.get('evidence_requests_total{outcome="evicted"}')).toBeGreaterThan(0);
  expect(health.ready().ok).toBe(true);
});

test('evidence of one pod is not answered on a connection that offers more than one protocol', async () => {
  const agent = await agentFixture();
  const app = await echoApp();
  const { bind, health } = startSidecar(agent, { upstream: String(app.port) });
  await until('readiness', () => health.ready().ok);
  const socket = await dial(bind, undefined, { ALPNProtocols: [EVIDENCE_ALPN, 'http/1.1'] });
  expect(socket.alpnProtocol).toBe('http/1.1');
  expect((await httpOver(socket, '/v1/access-decision')).body).toBe('');
});

test('handshakes that are left hanging do not fill the port', async () => {
  const agent = await agentFixture();
  const app = await echoApp();
  const { bind, health } = startSidecar(agent, { upstream: String(app.port), maxConnections: 20 });
  await until('readiness', () => health.ready().ok);
  const hanging = Array.from({ length: 60 }, () => raw(bind).resume());
  await until('the first is let go', () => hanging.some((socket) => socket.destroyed));
  const socket = await dial(bind, userCredential(owner));
  const answer = drainOf(socket);
  socket.end('served');
  expect(await answer).toBe('served');
});
