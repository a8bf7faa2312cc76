import { createPublicKey } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import { exportJWK, type JWTPayload, SignJWT } from 'jose';
import { afterEach, expect, test } from 'vitest';
import type { TokenKey } from '../../formats/evidence/trust-document.ts';
import { generateKey } from '../../platform/identity/key-pair.ts';
import {
  agentFixture,
  dial,
  drainOf,
  echoApp,
  httpOver,
  startSidecar,
  tokenFile,
  undo,
  undoAll,
  until,
} from './sidecar-fixture.ts';
import { owner, SERVER_NAME, signedTrust, trustDocument, unixNow, userCredential } from './trust-fixture.ts';

afterEach(undoAll);

/** An HTTP app that answers with what it was told. */
async function httpApp(path?: string) {
  const requests: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    requests.push(request);
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      response.setHeader('keep-alive', 'timeout=77');
      response.writeHead(201, { 'x-app': 'yes' }).end(Buffer.concat(chunks));
    });
  });
  await new Promise<void>((resolve) =>
    path === undefined ? server.listen(0, '127.0.0.1', resolve) : server.listen(path, resolve),
  );
  undo.push(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  return { requests, port: typeof address === 'object' && address !== null ? address.port : 0 };
}

async function enclave(changes: object = {}) {
  const agent = await agentFixture();
  const app = await httpApp();
  const sidecar = startSidecar(agent, { upstream: String(app.port), mode: 'http', ...changes });
  await until(() => sidecar.health.ready().ok, 'readiness');
  return { agent, app, ...sidecar };
}

test('http: the identity is ours to say, whatever the client writes', async () => {
  const { app, bind } = await enclave();
  const socket = await dial(bind, userCredential(owner, { user: 'alice smith\u00e9' }));
  const forged = [
    'X-Enclave-User: root',
    'x_enclave_user: root',
    'X-ENCLAVE-ANYTHING: 1',
    'X-Forwarded-Client-Cert: Subject="root"',
    'X-Forwarded-For: 10.0.0.1',
    'Connection: x-secret-hop',
    'X-Secret-Hop: 1',
    'X-Kept: 1',
    'Transfer-Encoding: chunked',
    '',
  ].join('\r\n');
  const answered = httpOver(socket, '/p?q=1', forged, 'POST');
  socket.write('5\r\nhello\r\n0\r\n\r\n');
  const answer = await answered;
  expect(answer).toMatchObject({ status: 201, body: expect.stringContaining('hello') });
  expect(answer.head).toContain('x-app: yes');
  expect(answer.head).not.toContain('timeout=77');
  const [request] = app.requests;
  expect(request).toMatchObject({ method: 'POST', url: '/p?q=1' });
  expect(request?.headers).toMatchObject({
    host: 'enclave',
    'x-kept': '1',
    'x-enclave-user': 'alice%20smith%C3%A9',
    'x-enclave-access': 'owner',
  });
  const names = Object.keys(request?.headers ?? {});
  for (const name of [
    'x_enclave_user',
    'x-enclave-anything',
    'x-forwarded-client-cert',
    'x-forwarded-for',
    'x-secret-hop',
  ])
    expect(names).not.toContain(name);
});

test('http: an app behind a Unix socket', async () => {
  const path = `${tokenFile()}.sock`;
  const app = await httpApp(path);
  const { bind } = await enclave({ upstream: `unix:${path}` });
  expect((await httpOver(await dial(bind, userCredential(owner)), '/')).status).toBe(201);
  expect(app.requests[0]?.headers.host).toBe('enclave');
});

test('http: a body stays a body, whatever the client says of its framing', async () => {
  const { app, bind } = await enclave();
  const smuggled = 'GET /smuggled HTTP/1.1\r\nhost: x\r\nx-enclave-user: root\r\n\r\n';
  for (const method of ['GET', 'DELETE', 'POST', 'OPTIONS'])
    for (const framing of [
      `Connection: content-length\r\nContent-Length: ${smuggled.length}\r\n`,
      `Connection: close, Content-Length, host\r\nContent-Length: ${smuggled.length}\r\n`,
    ]) {
      const socket = await dial(bind, userCredential(owner));
      const answered = httpOver(socket, '/outer', framing, method);
      socket.write(smuggled);
      expect((await answered).body).toContain('smuggled');
    }
  expect(app.requests.map(({ url }) => url)).not.toContain('/smuggled');
  expect(app.requests.map(({ headers }) => headers['x-enclave-user'])).not.toContain('root');
});

test('http: an app that is away is a problem', async () => {
  const { agent } = await enclave();
  const sidecar = startSidecar(agent, { upstream: '1', mode: 'http' });
  await until(() => sidecar.health.ready().lines.join().includes('certificate: ok'), 'certificate');
  await until(() => sidecar.health.ready().lines.join().includes('trust-document: ok'), 'trust document');
  const answer = await httpOver(await dial(sidecar.bind, userCredential(owner)), '/');
  expect(answer.status).toBe(502);
  expect(JSON.parse(answer.body).code).toBe('upstream');
});

test('http: what the app or the client does wrong ends one request, not the sidecar', async () => {
  const agent = await agentFixture();
  const answers = [
    'HTTP/1.1 200 \x01\x02\r\n\r\n',
    'HTTP/1.1 2\r\n\r\n',
    'not http at all',
    'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort',
    'HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n',
    '',
  ];
  let next = '';
  const app = await echoApp((socket) => void socket.once('data', () => socket.end(next)));
  const sidecar = startSidecar(agent, { upstream: String(app.port), mode: 'http' });
  await until(() => sidecar.health.ready().ok, 'readiness');
  for (next of answers) {
    const socket = await dial(sidecar.bind, userCredential(owner));
    expect([502, 200], next).toContain((await httpOver(socket, '/')).status);
  }
  for (const path of ['//', '/\x7f', '/%', '*', 'http://elsewhere/', '/a b']) {
    const socket = await dial(sidecar.bind, userCredential(owner));
    await httpOver(socket, path, 'host: second\r\n');
    const evidence = await dial(sidecar.bind, undefined, { ALPNProtocols: ['enclave-evidence/1'] });
    await httpOver(evidence, path);
  }
  const gone = await dial(sidecar.bind, userCredential(owner));
  gone.write('POST / HTTP/1.1\r\nhost: e\r\ncontent-length: 100\r\n\r\nabc');
  gone.destroy();
  next = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';
  expect((await httpOver(await dial(sidecar.bind, userCredential(owner)), '/')).body).toBe('ok');
});

test('http: who never asks is cut off, who has asked may stay', async () => {
  const { bind } = await enclave({ requestTimeout: 300 });
  const silent = await dial(bind, userCredential(owner));
  const asking = await dial(bind, userCredential(owner));
  const request = 'GET / HTTP/1.1\r\nhost: e\r\n\r\n';
  asking.write(request);
  await new Promise((resolve) => asking.once('data', resolve));
  silent.write('GET / HTTP/1.1\r\nslow: ');
  await new Promise((resolve) => silent.once('close', resolve));
  asking.write(request);
  expect(String(await new Promise((resolve) => asking.once('data', resolve)))).toContain('201');
});

test('http: draining waits for requests under way, not for idle connections', async () => {
  const { app, bind, stop } = await enclave();
  const idle = await dial(bind, userCredential(owner));
  idle.write('GET / HTTP/1.1\r\nhost: e\r\n\r\n');
  await new Promise((resolve) => idle.once('data', resolve));
  const busy = await dial(bind, userCredential(owner));
  const answer = drainOf(busy);
  busy.write('POST / HTTP/1.1\r\nhost: e\r\ncontent-length: 4\r\n\r\nha');
  await until(() => app.requests.length === 2, 'the request is under way');
  const start = Date.now();
  const stopped = stop();
  await new Promise((resolve) => idle.once('end', resolve));
  busy.write('lf');
  expect(await answer).toContain('half');
  await stopped;
  expect(Date.now() - start).toBeLessThan(900);
});

test('jwt: who shows no good token keeps no connection', async () => {
  const { bind } = await enclave({ auth: 'jwt', ownerKey: undefined });
  const stranger = await dial(bind);
  const answer = drainOf(stranger);
  stranger.write('POST / HTTP/1.1\r\nhost: e\r\ncontent-length: 1000000\r\n\r\nnever ends');
  expect(await answer).toContain('401');
});

test('jwt: each request is judged by its token, of front’s key, for this enclave', async () => {
  const { agent, app, bind, health } = await enclave({ auth: 'jwt', ownerKey: undefined });
  const key = generateKey();
  const jwk = await exportJWK(createPublicKey(key.privateKey));
  const tokenKeys = { keys: [{ ...jwk, kid: 'k1', alg: 'ES256' } as TokenKey] };
  const token = (claims: JWTPayload, signer = key, kid = 'k1') =>
    new SignJWT(claims).setProtectedHeader({ alg: 'ES256', kid }).sign(signer.privateKey);
  const good = { sub: 'carol', aud: SERVER_NAME, exp: unixNow() + 60 };
  const ask = async (header: string) => (await httpOver(await dial(bind), '/', header)).status;
  expect(await ask(`authorization: Bearer ${await token(good)}\r\n`)).toBe(401);
  agent.publish(signedTrust(trustDocument(2, { tokenKeys })));
  await until(
    async () => (await ask(`authorization: Bearer ${await token(good)}\r\n`)) === 201,
    'the key is known',
  );
  expect(app.requests.at(-1)?.headers).toMatchObject({
    'x-enclave-user': 'carol',
    'x-enclave-access': 'token',
  });
  const count = app.requests.length;
  for (const header of [
    '',
    `authorization: Bearer ${await token({ ...good, aud: 'enclave-licensing' })}\r\n`,
    `authorization: Bearer ${await token({ ...good, exp: unixNow() - 60 })}\r\n`,
    `authorization: Bearer ${await token({ sub: 'carol', aud: SERVER_NAME })}\r\n`,
    `authorization: Bearer ${await token(good, generateKey())}\r\n`,
  ])
    expect(await ask(header)).toBe(401);
  expect(app.requests.length).toBe(count);
  expect(health.ready().ok).toBe(true);
});
