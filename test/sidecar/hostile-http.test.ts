import { once } from 'node:events';
import { constants } from 'node:http2';
import type { ConnectionOptions } from 'node:tls';
import { afterEach, expect, test } from 'vitest';
import { until } from '../support/until.ts';
import { dialHttp2, httpEnclave } from './http-fixture.ts';
import { dial, drainOf, httpOver, undoAll } from './sidecar-fixture.ts';
import { owner, userCredential } from './trust-fixture.ts';

afterEach(undoAll);

const GET = 'GET / HTTP/1.1\r\nhost: e\r\n\r\n';
const UPGRADE = 'GET /ws HTTP/1.1\r\nhost: e\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n';

test('what a request expects is the app’s to judge; with a WebSocket asked for behind it the connection ends, not the process', async () => {
  const { bind, health } = await httpEnclave();
  const odd = 'GET / HTTP/1.1\r\nhost: e\r\nexpect: the-unexpected\r\n\r\n';
  const first = await dial(bind, userCredential(owner));
  const closed = once(first, 'close');
  first.resume().write(`${odd}${UPGRADE}`);
  await closed;
  const second = await dial(bind, userCredential(owner));
  second.write(odd);
  // Node's own server, which the app is, expects nothing but 100-continue.
  expect(String((await once(second, 'data'))[0])).toMatch(/^HTTP\/1.1 417 /);
  expect(health.ready().ok).toBe(true);
});

test('requests that are sent all at once are taken one by one; who floods waits for itself alone', async () => {
  const { app, bind } = await httpEnclave({}, (request, response) => {
    if (request.url === '/') response.end('ok');
  });
  const few = await dial(bind, userCredential(owner));
  const answers = drainOf(few);
  few.write(`${GET.repeat(30)}GET / HTTP/1.1\r\nhost: e\r\nconnection: close\r\n\r\n`);
  expect((await answers).match(/HTTP\/1.1 200/g)).toHaveLength(31);
  const flood = await dial(bind, userCredential(owner));
  flood.resume().write(GET.replace('/', '/never').repeat(100));
  await until('the first of the flood', () => app.requests.length === 32);
  const other = await dial(bind, userCredential(owner));
  expect((await httpOver(other, '/')).status).toBe(200);
  expect(app.requests.map(({ url }) => url).slice(31)).toEqual(['/never', '/']);
});

test('a stranger’s requests are dropped with the first that has no token', async () => {
  const { app, bind, metrics } = await httpEnclave({ auth: 'jwt', ownerKey: undefined });
  const stranger = await dial(bind);
  const answer = drainOf(stranger);
  stranger.write(GET.repeat(20));
  expect((await answer).match(/HTTP\/1.1 401/g)).toHaveLength(1);
  expect(metrics.values.get('token_refusals_total{code="token-missing"}')).toBe(1);
  expect(app.requests).toEqual([]);
});

/** A frame of HTTP/2 (RFC 9113, 4.1). */
function frame(type: number, flags: number, stream: number, body: Uint8Array): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(body.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, body]);
}
const PREFACE = Buffer.concat([
  Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  frame(4, 0, 0, Buffer.alloc(0)),
]);
/** POST https / with the authority e, without its end. */
const POST = frame(1, 4, 1, Buffer.from([0x83, 0x87, 0x84, 0x01, 0x01, 0x65]));
const STAYS_HALF_OPEN: ConnectionOptions & { allowHalfOpen: boolean } = {
  ALPNProtocols: ['h2'],
  allowHalfOpen: true,
};
const GOAWAY = frame(7, 0, 0, Buffer.alloc(8));

test.each([
  ['in the middle of a request', [POST], true],
  ['in the middle of a request, after GOAWAY', [POST, GOAWAY], true],
  ['never, after GOAWAY', [GOAWAY], false],
])('who goes away over HTTP/2 without a word gives its place back: %s', async (_, frames, goes) => {
  const { app, bind, metrics } = await httpEnclave({}, () => {});
  const socket = await dial(bind, userCredential(owner), STAYS_HALF_OPEN);
  socket.resume().write(Buffer.concat([PREFACE, ...frames]));
  if (frames.includes(POST)) await until('the request', () => app.requests.length === 1);
  if (goes) socket.destroy();
  await until('its place', () => metrics.values.get('connections_active{}') === 0);
  await until('the app hears of it', () => app.requests.every((each) => each.destroyed));
});

/** It makes nghttp2 fall silent: a CONTINUATION that continues nothing. */
const NONSENSE = frame(9, 4, 1, Buffer.alloc(2));

test('an authorised client that makes nghttp2 fall silent keeps its place for one idle timeout, not for two', async () => {
  const [idleTimeout, requestTimeout] = [1_500, 50];
  const { app, bind, metrics } = await httpEnclave({ idleTimeout, requestTimeout }, () => {});
  const client = await dial(bind, userCredential(owner), STAYS_HALF_OPEN);
  client.resume().write(Buffer.concat([PREFACE, POST, GOAWAY, NONSENSE]));
  await until('the request', () => app.requests.length === 1);
  let isLate = false;
  const late = setTimeout(() => {
    isLate = true;
  }, 2 * idleTimeout);
  await until('its place', () => metrics.values.get('connections_active{}') === 0);
  clearTimeout(late);
  expect(isLate).toBe(false);
});

test.each([
  ['without a token', [POST]],
  ['for no path', [frame(1, 5, 1, Buffer.from([0x82, 0x87, 0x04, 0x02, 0x2f, 0x23, 0x01, 0x01, 0x65]))]],
  ['and what makes nghttp2 fall silent', [POST, GOAWAY, NONSENSE]],
])('a stranger that asks over HTTP/2 %s, and stays, holds no place', async (_, frames) => {
  const { bind, metrics } = await httpEnclave({ auth: 'jwt', ownerKey: undefined, requestTimeout: 500 });
  const stranger = await dial(bind, undefined, STAYS_HALF_OPEN);
  stranger.resume().write(Buffer.concat([PREFACE, ...frames]));
  const closed = () => metrics.values.get('connections_active{}') === 0;
  await until('its place', () => closed() && metrics.values.get('connections_total{via="token"}') === 1);
});

test('who is refused a WebSocket and goes away gives the place back', async () => {
  const { bind, metrics } = await httpEnclave({ auth: 'jwt', ownerKey: undefined });
  const stranger = await dial(bind);
  stranger.write(`${UPGRADE}${GET}`);
  expect(String((await once(stranger, 'data'))[0])).toMatch(/^HTTP\/1.1 401 /);
  stranger.destroy();
  await until('its place', () => metrics.values.get('connections_active{}') === 0);
});

test('one user’s requests leave places to others', async () => {
  const { app, bind, metrics } = await httpEnclave({ maxConnections: 8 }, (request, response) => {
    if (request.url === '/ok') response.end('ok');
  });
  const greedy = await dialHttp2(bind, userCredential(owner));
  const streams = Array.from({ length: 60 }, () => greedy.request({ ':path': '/never' }));
  for (const stream of streams) stream.on('error', () => {});
  // To be sent again: nobody has looked at it.
  await until('a refusal', () => streams.at(-1)?.rstCode === constants.NGHTTP2_REFUSED_STREAM);
  // A connection more would take what is left for others.
  const more = await dial(bind, userCredential(owner));
  more.write(GET);
  expect(await drainOf(more)).toBe('');
  expect(metrics.values.get('refusals_total{code="too-many-connections"}')).toBe(1);
  const other = await dialHttp2(bind, userCredential(owner, { user: 'somebody else' }));
  expect((await once(other.request({ ':path': '/ok' }), 'response'))[0]).toMatchObject({ ':status': 200 });
  greedy.destroy();
  await until('the app hears of it', () => app.requests.filter(({ destroyed }) => !destroyed).length === 0);
  const again = await dialHttp2(bind, userCredential(owner));
  expect((await once(again.request({ ':path': '/ok' }), 'response'))[0]).toMatchObject({ ':status': 200 });
});
