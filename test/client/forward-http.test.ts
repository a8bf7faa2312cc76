import { connect as connectHttp2 } from 'node:http2';
import { connect as dialTcp } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { createAttestedConnector } from '../../client/library/session/attested-connector.ts';
import { forwardHttp } from '../../client/library/session/forward-http.ts';
import { peerCertificate } from '../../platform/tls/peer.ts';
import { answerOf, httpEnclave, tokenIssuer } from '../sidecar/http-fixture.ts';
import { dial, undo, undoAll } from '../sidecar/sidecar-fixture.ts';
import { roots, SERVER_NAME, signedTrust, trustDocument } from '../sidecar/trust-fixture.ts';
import { until } from '../support/until.ts';

afterEach(undoAll);

/** The real sidecar with `auth: jwt`, and a local port to it. */
async function local(handle?: Parameters<typeof httpEnclave>[1]) {
  const enclave = await httpEnclave({ auth: 'jwt', ownerKey: undefined }, handle);
  const { tokenKeys, token } = await tokenIssuer();
  enclave.agent.publish(signedTrust(trustDocument(2, { tokenKeys })));
  await until('the key is known', () => enclave.metrics.values.get('trust_document_version{}') === 2);
  const end = new AbortController();
  undo.push(() => end.abort());
  let attested = 0;
  const connector = createAttestedConnector({
    endpoint: { host: enclave.bind, port: 8443 },
    serverName: SERVER_NAME,
    alpn: ['http/1.1'],
    signal: end.signal,
    clock: { now: () => Date.now() },
    evidenceMs: 60_000,
    renewMs: 30_000,
    roots: () => roots.enclaves,
    attest: async () => {
      attested += 1;
      const socket = await dial(enclave.bind, undefined, { ALPNProtocols: ['enclave-evidence/1'] });
      return peerCertificate(socket) ?? new Uint8Array();
    },
    onRefused: () => {},
    onExpired: () => {},
    onTrouble: () => {},
    onEnded: () => {},
  });
  const state = { token: await token(), failures: [] as unknown[] };
  const { port, ended } = await forwardHttp({
    listen: { host: '127.0.0.1', port: 0 },
    connector,
    signal: end.signal,
    token: async () => state.token,
    onFailure: (error) => state.failures.push(error),
  });
  return { ...enclave, port, ended, end, state, attested: () => attested };
}

test('HTTP/1.1: each request gets the token, and its own credential is the app’s', async () => {
  const { app, port, attested, state, end, ended } = await local();
  const url = `http://127.0.0.1:${port}/p?q=1`;
  for (const body of ['one', 'two']) {
    const answer = await fetch(url, {
      method: 'POST',
      body,
      headers: { authorization: 'Basic YXBw', 'x-enclave-token': 'mine' },
    });
    expect([answer.status, await answer.text(), answer.headers.get('x-app')]).toEqual([201, body, 'yes']);
  }
  const streamed = new ReadableStream({
    start: (controller) => {
      controller.enqueue(Buffer.from('streamed'));
      controller.close();
    },
  });
  const init: RequestInit & { duplex: 'half' } = { method: 'POST', body: streamed, duplex: 'half' };
  expect(await (await fetch(url, init)).text()).toBe('streamed');
  for (const { headers } of app.requests)
    expect(headers).toMatchObject({ 'x-enclave-user': 'carol', 'x-enclave-access': 'token' });
  expect(app.requests[0]?.headers.authorization).toBe('Basic YXBw');
  expect(attested()).toBe(1);
  // What the enclave says to a token that is good no more is the answer.
  state.token = 'a.b.c';
  expect((await fetch(url)).status).toBe(401);
  expect(state.failures).toEqual([]);
  end.abort();
  await ended;
  await expect(fetch(url)).rejects.toThrow();
});

test('HTTP/2 by prior knowledge: bodies both ways, and resets', async () => {
  const { app, port } = await local();
  const session = connectHttp2(`http://127.0.0.1:${port}`);
  undo.push(() => session.destroy());
  const answers = await Promise.all(
    ['a', 'b', 'c'].map((body) => answerOf(session.request({ ':path': '/', ':method': 'POST' }).end(body))),
  );
  expect(answers.map(({ status, body }) => [status, body])).toEqual([
    [201, 'a'],
    [201, 'b'],
    [201, 'c'],
  ]);
  expect(app.requests[0]?.headers).toMatchObject({ 'x-enclave-user': 'carol' });
  const gone = session.request({ ':path': '/', ':method': 'POST' });
  gone.on('error', () => {});
  gone.write('x');
  await until('the request is under way', () => app.requests.length === 4);
  gone.close(8);
  await until('the app hears that the client went', () => app.requests[3]?.destroyed === true);
});

test('a WebSocket is one all the way', async () => {
  const { app, port } = await local();
  app.server.on('upgrade', (request, socket) => {
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\r\n`);
    socket.write(`${request.headers['x-enclave-user']} `);
    socket.on('error', () => {});
    socket.pipe(socket);
  });
  const socket = dialTcp(port, '127.0.0.1');
  undo.push(() => socket.destroy());
  let text = '';
  socket.on('data', (chunk: Buffer) => {
    text += chunk;
  });
  socket.write(
    'GET /ws HTTP/1.1\r\nhost: e\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-key: k\r\n\r\nhello',
  );
  await until('bytes both ways', () => text.endsWith('carol hello'));
  expect(text).toMatch(/^HTTP\/1.1 101 /);
});

test('an enclave that cannot be reached is a 502 here, and told', async () => {
  const { port, stop, state } = await local();
  await stop();
  expect((await fetch(`http://127.0.0.1:${port}/`)).status).toBe(502);
  expect(state.failures).toHaveLength(1);
});

test('a local program that goes away ends its request at the app', async () => {
  let asked = 0;
  let gone = 0;
  const { port } = await local((request) => {
    asked += 1;
    request.socket.once('close', () => {
      gone += 1;
    });
  });
  const leave = new AbortController();
  const answer = fetch(`http://127.0.0.1:${port}/`, { signal: leave.signal }).catch(() => 'left');
  await until('the request is at the app', () => asked === 1);
  leave.abort();
  expect(await answer).toBe('left');
  await until('the app hears of it', () => gone === 1);
});
