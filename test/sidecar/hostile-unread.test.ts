import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TLSSocket } from 'node:tls';
import { afterEach, expect, test } from 'vitest';
import { generateKey } from '../../platform/identity/key-pair.ts';
import { anonymousMemory } from '../support/anonymous-memory.ts';
import { loopbackAddress } from '../support/loopback-block.ts';
import { until } from '../support/until.ts';
import { dialHttp2, httpApp } from './http-fixture.ts';
import { DATA, END_HEADERS, frame, HEADERS, PREFACE, requestHead, SETTINGS } from './http2-frames.ts';
import { agentFixture, dial, tokenFile, undo, undoAll } from './sidecar-fixture.ts';
import { startSidecarProcess } from './sidecar-process.ts';
import { grantFor, owner, userCredential } from './trust-fixture.ts';

afterEach(undoAll);

const MEBIBYTE = 1024 * 1024;
/** V8's young generation in a container of the default 128 MiB; and as many connections as have, with a request each, the memory that is for them there. */
const SMALL_HEAP = ['--max-semi-space-size=1'];
const PLACES = '55';
/** Of the default 128 MiB; of the program's own file the kernel can drop what it needs. The same limits ten times as high come to more. */
const MOST_MEMORY = 110 * MEBIBYTE;
/** What arrives is taken in spurts, and V8 collects when it likes: the most is there some seconds after the last byte was sent. */
const STILL_MS = 2_000;
const WINDOW = 65_535;
const FLOOD = Buffer.alloc(65_536, 'x');
const POST = requestHead(0x83);
const STREAM_ID = 5;

/** When the app could last say something. */
let lastTaken = 0;

/** Reads nothing and says more than anybody takes; `/ok` is answered. */
function greedyApp(request: IncomingMessage, response: ServerResponse): void {
  if (request.url === '/ok') {
    response.end('ok');
    return;
  }
  const more = (): void => {
    lastTaken = performance.now();
    while (response.writable && response.write(FLOOD)) if (response.writableNeedDrain) return;
  };
  response.on('drain', more);
  more();
}

/** Requests; the body of each comes in frames of this size. */
async function streams(socket: TLSSocket, count: number, size: number, bytes: number): Promise<void> {
  const wide = Buffer.from([0, 4, 0x7f, 0xff, 0xff, 0xff]);
  socket.write(Buffer.concat([PREFACE.subarray(0, 24), frame(SETTINGS, 0, 0, wide)]));
  const ids = Array.from({ length: count }, (_, i) => 2 * i + 1);
  socket.write(Buffer.concat(ids.map((id) => frame(HEADERS, END_HEADERS, id, POST))));
  const round = ids.map((id) => {
    const data = frame(DATA, 0, 1, Buffer.alloc(size));
    data.writeUInt32BE(id, STREAM_ID);
    return data;
  });
  await send(socket, Buffer.concat(round), Math.floor(bytes / size));
}

async function chunks(socket: TLSSocket): Promise<void> {
  socket.write('POST / HTTP/1.1\r\nhost: e\r\ntransfer-encoding: chunked\r\n\r\n');
  await send(socket, Buffer.from('1\r\nx\r\n'.repeat(1000)), 50);
}

async function download(socket: TLSSocket): Promise<void> {
  socket.write('GET / HTTP/1.1\r\nhost: e\r\n\r\n');
  await until('nothing takes more of the answers', () => performance.now() - lastTaken > 1000);
}

/** Until all was taken, or nothing is for a second. */
async function send(socket: TLSSocket, piece: Buffer, times: number): Promise<void> {
  for (let i = 0; i < times && socket.writable; i += 1) {
    const sent = new Promise((done) => socket.write(piece, done));
    if ((await Promise.race([sent.then(() => true), sleep(1000)])) !== true) return;
  }
}

test.each([
  [
    '1,200 requests over 12 HTTP/2 connections',
    12,
    'h2',
    (socket: TLSSocket) => streams(socket, 100, 13_107, WINDOW),
  ],
  ['60 requests over HTTP/1.1, byte by byte', 60, 'http/1.1', chunks],
  ['60 downloads over HTTP/1.1', 60, 'http/1.1', download],
])(
  '%s, unread both ways: memory bounded, another user served',
  async (_, connections, protocol, flood) => {
    const bind = loopbackAddress();
    const app = await httpApp(greedyApp);
    const { child, gone, said } = startSidecarProcess({
      main: resolve('dist/sidecar/main.js'),
      bind,
      agent: await agentFixture(),
      tokenFile: tokenFile(),
      upstream: String(app.port),
      changes: {
        ENCLAVE_SIDECAR_MODE: 'http',
        ENCLAVE_SIDECAR_LOG_LEVEL: 'error',
        ENCLAVE_SIDECAR_MAX_CONNECTIONS: PLACES,
      },
      command: [process.execPath, ...SMALL_HEAP],
    });
    undo.push(async () => {
      child.kill('SIGKILL');
      await gone;
    });
    const ready = async () => (await fetch(`http://${bind}:9464/readyz`).catch(() => undefined))?.ok === true;
    await until('readiness', ready);
    let [worst, grew] = [0, 0];
    const looking = setInterval(() => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const now = anonymousMemory(child.pid ?? 0);
      if (now <= worst) return;
      if (now > worst + MEBIBYTE / 4) grew = performance.now();
      worst = now;
    }, 20);
    undo.push(() => clearInterval(looking));
    const sockets: TLSSocket[] = [];
    while (sockets.length < connections) {
      const socket = await dial(bind, userCredential(owner), { ALPNProtocols: [protocol] });
      sockets.push(socket);
      // It begins to read, and stops.
      socket.once('data', () => socket.pause());
    }
    await Promise.all(sockets.map(flood));
    const bob = generateKey();
    const other = await dialHttp2(bind, userCredential(bob, { user: 'bob', ...grantFor(bob) }));
    const [head] = await Promise.race([once(other.request({ ':path': '/ok' }), 'response'), gone]);
    expect(head, said().slice(-300)).toMatchObject({ ':status': 200 });
    await until('the memory grows no more', () => performance.now() - grew > STILL_MS);
    expect(worst).toBeLessThan(MOST_MEMORY);
  },
  60_000,
);
