import { createHash } from 'node:crypto';
import type { RequestListener } from 'node:http';
import { afterEach, expect, test } from 'vitest';
import { until } from '../support/until.ts';
import { dialHttp2, httpEnclave, tokenIssuer } from './http-fixture.ts';
import { dial, drainOf, undoAll } from './sidecar-fixture.ts';
import { owner, signedTrust, trustDocument, unixNow, userCredential } from './trust-fixture.ts';

afterEach(undoAll);

const ACCEPT = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const PLAIN: RequestListener = (request, response) => response.writeHead(200).end(`plain ${request.url}`);

/** An app that agrees to a WebSocket at /ws and echoes its bytes. */
async function socketEnclave(changes: Parameters<typeof httpEnclave>[0] = {}) {
  const enclave = await httpEnclave(changes, PLAIN);
  const state = { open: 0, headers: [] as NodeJS.Dict<string | string[]>[] };
  enclave.app.server.on('upgrade', (request, socket) => {
    state.headers.push(request.headers);
    socket.on('error', () => {});
    if (request.url !== '/ws')
      return void socket.end('HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno');
    state.open += 1;
    socket.once('close', () => {
      state.open -= 1;
    });
    const key = request.headers['sec-websocket-key'];
    const accept = createHash('sha1').update(`${key}${ACCEPT}`).digest('base64');
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: ${accept}\r\nsec-websocket-protocol: chat\r\n\r\nwelcome `,
    );
    return void socket.pipe(socket);
  });
  return { ...enclave, state };
}

const UPGRADE =
  'host: e\r\nconnection: keep-alive, Upgrade\r\nupgrade: WebSocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nx-enclave-user: root\r\n';

/** Collects what comes, to wait on. */
function reading(stream: NodeJS.ReadableStream) {
  const got = { text: '' };
  stream.on('data', (chunk: Buffer) => {
    got.text += chunk;
  });
  return got;
}

test('websocket over HTTP/1.1: bytes both ways, the first ones too, and the end on either side', async () => {
  const { bind, state } = await socketEnclave();
  const socket = await dial(bind, userCredential(owner));
  const got = reading(socket);
  // The first bytes come with the request.
  socket.write(`GET /ws HTTP/1.1\r\n${UPGRADE}\r\nhello`);
  await until('the first bytes', () => got.text.endsWith('welcome hello'));
  expect(got.text).toMatch(/^HTTP\/1.1 101 [\s\S]*sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=/);
  expect(got.text).toContain('sec-websocket-protocol: chat');
  expect(state.headers[0]).toMatchObject({ 'x-enclave-user': 'alice', upgrade: 'websocket' });
  socket.write('again');
  await until('more bytes', () => got.text.endsWith('again'));
  socket.destroy();
  await until('the app hears of the end', () => state.open === 0);
});

test('websocket over HTTP/2 (RFC 8441) is one to the app', async () => {
  const { bind, state } = await socketEnclave();
  const session = await dialHttp2(bind, userCredential(owner));
  await new Promise((resolve) => session.once('remoteSettings', resolve));
  const pseudo = { ':method': 'CONNECT', ':scheme': 'https', ':authority': 'e' };
  const stream = session.request(
    { ...pseudo, ':protocol': 'websocket', ':path': '/ws' },
    { endStream: false },
  );
  const got = reading(stream);
  const headers = await new Promise<object>((resolve) => stream.once('response', resolve));
  expect(headers).toMatchObject({ ':status': 200, 'sec-websocket-protocol': 'chat' });
  expect(headers).not.toHaveProperty('sec-websocket-accept');
  stream.write('two');
  await until('bytes', () => got.text === 'welcome two');
  stream.close();
  await until('the app hears of the end', () => state.open === 0);
  for (const [protocol, path, status] of [
    ['websocket', '/other', 403],
    ['connect-udp', '/ws', 501],
  ]) {
    const refused = session.request(
      { ...pseudo, ':protocol': protocol, ':path': path },
      { endStream: false },
    );
    refused.on('error', () => {});
    const head = await new Promise<object>((resolve) => refused.once('response', resolve));
    expect(head).toMatchObject({ ':status': status });
  }
});

test('an app that agrees to no WebSocket answers as ever; whoever asks for another protocol is answered in HTTP/1.1', async () => {
  const { app, bind } = await socketEnclave();
  const refused = await dial(bind, userCredential(owner));
  const answer = drainOf(refused);
  refused.write(`GET /other HTTP/1.1\r\n${UPGRADE}\r\n`);
  expect(await answer).toMatch(/^HTTP\/1.1 403 [\s\S]*\r\n\r\nno$/);
  const other = await dial(bind, userCredential(owner));
  const plain = drainOf(other);
  const h2c = 'connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n';
  other.write(
    `GET /p HTTP/1.1\r\nhost: e\r\n${h2c}\r\nGET /q HTTP/1.1\r\nhost: e\r\nconnection: close\r\n\r\n`,
  );
  // What follows is not read: it may be another protocol's.
  expect(await plain).toMatch(/^HTTP\/1.1 200 [\s\S]*connection: close[\s\S]*plain \/p\r\n0\r\n\r\n$/);
  expect(app.requests).toHaveLength(1);
});

test('a WebSocket that is asked for before the answer to another request ends the connection', async () => {
  const { bind, state } = await socketEnclave();
  const socket = await dial(bind, userCredential(owner));
  const ended = new Promise((resolve) => socket.once('close', resolve));
  socket.write(`GET / HTTP/1.1\r\nhost: e\r\n\r\nGET /ws HTTP/1.1\r\n${UPGRADE}\r\n`);
  await ended;
  expect(state.headers).toEqual([]);
});

test('a WebSocket ends with its token', async () => {
  const { agent, bind, metrics, state } = await socketEnclave({ auth: 'jwt', ownerKey: undefined });
  const { tokenKeys, token } = await tokenIssuer();
  agent.publish(signedTrust(trustDocument(2, { tokenKeys })));
  await until('the key is known', () => metrics.values.get('trust_document_version{}') === 2);
  const socket = await dial(bind);
  const got = reading(socket);
  const ended = new Promise((resolve) => socket.once('close', resolve));
  socket.write(
    `GET /ws HTTP/1.1\r\n${UPGRADE}x-enclave-token: ${await token({ exp: unixNow() + 2 })}\r\n\r\n`,
  );
  await until('it is open', () => got.text.endsWith('welcome '));
  await ended;
  await until('the app hears of the end', () => state.open === 0);
  expect(state.headers[0]).toMatchObject({ 'x-enclave-user': 'carol' });
  expect(state.headers[0]).not.toHaveProperty('x-enclave-token');
});
