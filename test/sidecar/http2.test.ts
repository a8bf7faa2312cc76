import type { TLSSocket } from 'node:tls';
import { afterEach, expect, test } from 'vitest';
import { until } from '../support/until.ts';
import { answerOf, dialHttp2, httpEnclave } from './http-fixture.ts';
import {
  CONTINUATION,
  DATA,
  END_HEADERS,
  END_STREAM,
  frame,
  HEADERS,
  literal,
  PING,
  PREFACE,
  PRIORITY,
  RST_STREAM,
  requestHead,
  SETTINGS,
} from './http2-frames.ts';
import { dial, undoAll } from './sidecar-fixture.ts';
import { owner, userCredential } from './trust-fixture.ts';

afterEach(undoAll);

const GET = requestHead();

interface Frame {
  readonly type: number;
  readonly flags: number;
  /** Of RST_STREAM and GOAWAY. */
  readonly code: number;
}

async function rawHttp2(bind: string): Promise<{ socket: TLSSocket; frames: Frame[] }> {
  const socket = await dial(bind, userCredential(owner), { ALPNProtocols: ['h2'] });
  const frames: Frame[] = [];
  let rest = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= 9 && rest.length >= 9 + rest.readUIntBE(0, 3)) {
      const length = rest.readUIntBE(0, 3);
      const type = rest[3] ?? 0;
      const at = type === 7 ? 13 : 9;
      frames.push({
        type,
        flags: rest[4] ?? 0,
        code: length >= 4 && (type === 3 || type === 7) ? rest.readUInt32BE(at) : 0,
      });
      rest = rest.subarray(9 + length);
    }
  });
  socket.write(PREFACE);
  return { socket, frames };
}

/** Writes until the other side has enough of it. @returns how many were written */
async function flood(socket: TLSSocket, most: number, next: (i: number) => Buffer): Promise<number> {
  let written = 0;
  while (written < most && !socket.destroyed && !socket.readableEnded) {
    const batch: Buffer[] = [];
    for (let i = 0; i < 64; i += 1) batch.push(next(written + i));
    written += 64;
    if (!socket.write(Buffer.concat(batch)))
      await Promise.race([
        new Promise((resolve) => socket.once('drain', resolve)),
        new Promise((resolve) => socket.once('close', resolve)),
      ]);
    await new Promise(setImmediate);
  }
  return written;
}

test('http/2 to the client, HTTP/1.1 to the app: bodies, trailers, and a hundred at once', async () => {
  const { app, bind } = await httpEnclave({}, (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      response.writeHead(200, { 'x-app': 'yes' });
      response.write(Buffer.concat(chunks));
      response.addTrailers({ 'x-sum': String(Buffer.concat(chunks).length), 'x-enclave-user': 'app' });
      response.end();
    });
  });
  const session = await dialHttp2(bind, userCredential(owner));
  const answers = Array.from({ length: 100 }, (_, i) => {
    const stream = session.request({ ':path': `/${i}?q`, ':method': 'POST' });
    stream.write(`${i}`);
    stream.end('!');
    return answerOf(stream);
  });
  for (const [i, answer] of (await Promise.all(answers)).entries())
    expect(answer).toMatchObject({ status: 200, body: `${i}!`, trailers: ['x-sum', String(`${i}!`.length)] });
  expect(new Set(app.requests.map(({ httpVersion, method }) => `${httpVersion} ${method}`))).toEqual(
    new Set(['1.1 POST']),
  );
  const head = await answerOf(session.request({ ':path': '/', ':method': 'HEAD' }));
  expect(head).toMatchObject({ status: 200, body: '', rstCode: 0 });
});

test.each([
  ['Host and :authority differ', { ':path': '/', ':authority': 'e', host: 'f' }, 400],
  ['a path without a slash', { ':path': 'x', ':authority': 'e' }, undefined],
  ['a fragment', { ':path': '/#x', ':authority': 'e' }, 400],
  ['CONNECT', { ':method': 'CONNECT', ':authority': 'e:1' }, 501],
  ['an authority with a user', { ':path': '/', ':authority': 'a@e' }, undefined],
  ['a method in lower case', { ':path': '/', ':method': 'get', ':authority': 'e' }, 501],
])('refused before the app sees it: %s', async (_, headers, status) => {
  const { app, bind } = await httpEnclave();
  const session = await dialHttp2(bind, userCredential(owner));
  const answer = await answerOf(session.request(headers));
  if (status === undefined) expect(answer.rstCode).not.toBe(0);
  else expect(answer.status).toBe(status);
  expect(app.requests).toEqual([]);
});

test.each([
  ['a line feed in a value', literal('x', 'a\nx-enclave-user: root')],
  ['a carriage return in a value', literal('x', 'a\r\n\r\nGET / HTTP/1.1')],
  ['a zero byte in a value', literal('x', 'a\0b')],
  ['a colon in a name', literal('x:y', 'a')],
  ['a line feed in a name', literal('x\ny', 'a')],
  ['an upper-case name', literal('X-Enclave-User', 'root')],
  ['a field of HTTP/1.1 connections', literal('transfer-encoding', 'chunked')],
  ['connection', literal('connection', 'x-enclave-user')],
  ['a pseudo-header field that is none', literal(':x-enclave-user', 'root')],
  ['two paths', Buffer.from([0x84])],
])('a malformed head is refused or cleaned: %s', async (_, extra) => {
  const { app, bind } = await httpEnclave();
  const { socket, frames } = await rawHttp2(bind);
  socket.write(frame(HEADERS, END_HEADERS | END_STREAM, 1, Buffer.concat([GET, extra])));
  await until(
    'an answer',
    () => socket.destroyed || frames.some(({ type }) => type === RST_STREAM || type === 1),
  );
  for (const { rawHeaders } of app.requests) {
    expect(rawHeaders.filter((each) => each.includes('root') || /[\r\n\0]/.test(each))).toEqual([]);
    expect(rawHeaders.filter((each) => each.toLowerCase() === 'transfer-encoding')).toEqual([]);
  }
});

test.each([
  [
    'a rapid reset (CVE-2023-44487)',
    20_000,
    (i: number) =>
      Buffer.concat([
        frame(HEADERS, END_HEADERS, 2 * i + 1, GET),
        frame(RST_STREAM, 0, 2 * i + 1, Buffer.from([0, 0, 0, 8])),
      ]),
  ],
  [
    'CONTINUATION without end',
    20_000,
    (i: number) =>
      i === 0 ? frame(HEADERS, 0, 1, GET) : frame(CONTINUATION, 0, 1, literal('x', 'y'.repeat(100))),
  ],
  [
    'empty CONTINUATION without end',
    20_000,
    (i: number) => (i === 0 ? frame(HEADERS, 0, 1, GET) : frame(CONTINUATION, 0, 1)),
  ],
  ['settings', 20_000, () => frame(SETTINGS, 0, 0, Buffer.from([0, 3, 0, 0, 0, 1]))],
  ['pings', 200_000, () => frame(PING, 0, 0, Buffer.alloc(8))],
  ['empty data', 200_000, (i: number) => (i === 0 ? frame(HEADERS, END_HEADERS, 1, GET) : frame(DATA, 0, 1))],
  ['priorities', 200_000, (i: number) => frame(PRIORITY, 0, 2 * i + 1, Buffer.from([0, 0, 0, 0, 1]))],
])('a flood of %s ends its connection, or costs no memory; others are served', async (_what, most, next) => {
  const { app, bind } = await httpEnclave();
  const { socket } = await rawHttp2(bind);
  // A client that does not read what it makes the other side say.
  socket.pause();
  const before = process.memoryUsage().rss;
  await flood(socket, most, next);
  socket.resume();
  const grown = process.memoryUsage().rss - before;
  expect(grown).toBeLessThan(64_000_000);
  expect(app.requests.length).toBeLessThan(1500);
  const session = await dialHttp2(bind, userCredential(owner));
  expect((await answerOf(session.request({ ':path': '/' }))).status).toBe(201);
});

test('a header too large, too many fields, too many streams, a body longer than said', async () => {
  const { app, bind } = await httpEnclave({}, () => {});
  const large = await dialHttp2(bind, userCredential(owner));
  expect((await answerOf(large.request({ ':path': '/', x: 'y'.repeat(65_536) }))).status).not.toBe(201);
  const many = await dialHttp2(bind, userCredential(owner));
  const fields = Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`x-${i}`, '1']));
  expect((await answerOf(many.request({ ':path': '/', ...fields }))).rstCode).not.toBe(0);
  const long = await dialHttp2(bind, userCredential(owner));
  const stream = long.request({ ':path': '/', ':method': 'POST', 'content-length': '1' });
  stream.end('two');
  expect((await answerOf(stream)).rstCode).not.toBe(0);
  const before = app.requests.length;
  const { socket, frames } = await rawHttp2(bind);
  for (let i = 0; i < 150; i += 1) socket.write(frame(HEADERS, END_HEADERS | END_STREAM, 2 * i + 1, GET));
  await until(
    'refusals',
    () => frames.filter(({ type, code }) => type === RST_STREAM && code === 7).length === 50,
  );
  await until('a hundred go on', () => app.requests.length - before === 100);
});

test('an answer before the end of the request is whole', async () => {
  const { bind } = await httpEnclave({}, (_request, response) => {
    response.writeHead(413, { connection: 'close' }).end('too large');
  });
  const { socket, frames } = await rawHttp2(bind);
  socket.write(frame(HEADERS, END_HEADERS, 1, GET));
  socket.write(frame(DATA, 0, 1, Buffer.alloc(1000)));
  await until('the client is told to stop', () => frames.some(({ type }) => type === RST_STREAM));
  const own = frames.filter(({ type }) => type === DATA || type === HEADERS || type === RST_STREAM);
  expect(own.map(({ type }) => type)).toEqual([HEADERS, DATA, DATA, RST_STREAM]);
  expect(own.at(-2)?.flags).toBe(END_STREAM);
  expect(own.at(-1)?.code).toBe(0);
});

test('who goes away takes the other side along', async () => {
  let ended = 0;
  const { app, bind } = await httpEnclave({}, (request, response) => {
    response.once('close', () => {
      ended += 1;
    });
    if (request.url === '/part') {
      response.writeHead(200, { 'content-length': 10 }).write('part', () => response.destroy());
    }
  });
  const session = await dialHttp2(bind, userCredential(owner));
  const stream = session.request({ ':path': '/' });
  stream.on('error', () => {});
  await until('the request is under way', () => app.requests.length === 1);
  stream.close(8);
  await until('the app hears that the client went', () => ended === 1);
  const part = await answerOf(session.request({ ':path': '/part' }));
  expect(part).toMatchObject({ status: 200, body: 'part', rstCode: 2 });
});
