import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { afterEach, expect, test } from 'vitest';
import { httpSidecar } from './http-fixture.ts';
import {
  DATA,
  END_HEADERS,
  frame,
  HEADERS,
  literal,
  PREFACE,
  RST_STREAM,
  requestHead,
  SETTINGS,
} from './http2-frames.ts';
import { dial, echoApp, undoAll } from './sidecar-fixture.ts';
import { owner, userCredential } from './trust-fixture.ts';

afterEach(undoAll);

/** Lines of heads and bodies, of requests and answers, in any order. */
const LINES = [
  'content-length: 3',
  'content-length: 0',
  'transfer-encoding: chunked',
  'connection: close',
  'connection: upgrade',
  'upgrade: websocket',
  'upgrade: h2c',
  'expect: 100-continue',
  'content-type: application/grpc',
  'etag: a',
  'etag: b',
  'trailer: x',
  'x-a: \x80',
  'te: trailers',
  ':status: 200',
  'link: <a>',
  'sec-websocket-accept: x',
  '',
  'abc',
  '3',
  '0',
  'GET / HTTP/1.1',
  'HEAD * HTTP/1.1',
  'CONNECT a:1 HTTP/1.1',
  'host: e',
];
const REQUESTS = [
  'GET / HTTP/1.1\r\nhost: e',
  'POST / HTTP/1.1\r\nhost: e',
  'PUT /x HTTP/1.1\r\nhost: e\r\ncontent-length: 3',
  'GET /ws HTTP/1.1\r\nhost: e\r\nupgrade: websocket\r\nconnection: upgrade',
];
const ANSWERS = ['HTTP/1.1 200 OK', 'HTTP/1.1 103 E', 'HTTP/1.1 101 S', 'HTTP/1.1 204 N', 'HTTP/1.1 999 x'];
const FIELDS = [
  'te',
  'cookie',
  'host',
  'expect',
  'content-length',
  'content-type',
  'x_enclave_user',
  ':protocol',
];
const VALUES = ['trailers', '100-continue', '3', 'e', 'application/grpc', 'websocket'];

/** The same run for the same seed (mulberry32). */
function dice(seed: number) {
  let state = seed;
  const below = (n: number): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296) * n);
  };
  const of = <T>(list: readonly [T, ...T[]] | readonly T[]): T => list[below(list.length)] as T;
  const text = (first: readonly string[]): string => {
    const lines = [of(first), ...Array.from({ length: below(9) }, () => of(LINES))];
    return `${lines.join('\r\n')}\r\n${of(['', '\r\n', '\r\n3\r\nabc\r\n0\r\n\r\n', '\r\n0\r\netag: 1\r\netag: 2\r\n\r\n'])}`;
  };
  return { below, of, text };
}
type Dice = ReturnType<typeof dice>;

function someFrame({ below, of }: Dice, stream: number, head: Buffer): Buffer {
  const field = below(3) === 0 ? literal(of(FIELDS), of(VALUES)) : Buffer.alloc(0);
  return of([
    () => frame(HEADERS, END_HEADERS | below(2), stream, Buffer.concat([head, field])),
    () =>
      frame(HEADERS, END_HEADERS | 1, stream, Buffer.concat([literal('etag', 'a'), literal('etag', 'b')])),
    () => frame(DATA, below(2), stream, Buffer.alloc(below(30))),
    () => frame(RST_STREAM, 0, stream, Buffer.from([0, 0, 0, below(14)])),
    () => frame(below(12), below(256), below(4), Buffer.alloc(below(12), below(256))),
  ])();
}

function hostileApp(random: Dice): (socket: Socket) => void {
  const { below, of, text } = random;
  return (socket) => {
    socket.on('data', (chunk: Buffer) => {
      if (chunk.subarray(0, 3).toString() === 'PRI') {
        socket.write(frame(SETTINGS, 0, 0));
        for (let i = below(6); i > 0; i -= 1)
          socket.write(someFrame(random, of([0, 1, 1, 3]), Buffer.from([0x88])));
      } else if (below(5) > 0) socket.write(text(ANSWERS), 'latin1');
      if (below(4) === 0) socket.destroy();
    });
  };
}

function hostileClient(random: Dice, socket: TLSSocket): void {
  const { below, of, text } = random;
  if (socket.alpnProtocol !== 'h2') {
    for (let i = 1 + below(4); i > 0; i -= 1) socket.write(text(REQUESTS), 'latin1');
    return;
  }
  socket.write(PREFACE);
  for (let i = 0; i < 1 + below(12); i += 1)
    socket.write(someFrame(random, 2 * of([i, i, 0]) + 1, requestHead(of([0x82, 0x83]))));
}

test('whatever client and app say, the sidecar goes on', async () => {
  const seed = Date.now() % 1_000_000;
  const random = dice(seed);
  const app = await echoApp(hostileApp(random));
  const limits = { maxConnections: 500, idleTimeout: 300, requestTimeout: 300 };
  const { bind, health } = await httpSidecar(String(app.port), limits);
  const one = async (): Promise<void> => {
    for (let i = 0; i < 20; i += 1) {
      const alpn = random.below(2) === 0 ? {} : { ALPNProtocols: ['h2'] };
      const socket = await dial(bind, userCredential(owner), alpn);
      if (random.below(4) > 0) socket.resume();
      hostileClient(random, socket);
      await new Promise((resolve) => setTimeout(resolve, random.below(25)));
      if (random.below(3) > 0) socket.destroy();
      else socket.end();
    }
  };
  await Promise.all(Array.from({ length: 8 }, one));
  // An exception that nobody caught fails the test by itself.
  expect(health.ready().lines.join(), `seed ${seed}`).toContain('certificate: ok');
});
