import { once } from 'node:events';
import type { TLSSocket } from 'node:tls';
import type { JWTPayload } from 'jose';
import { afterEach, expect, test } from 'vitest';
import { generateKey } from '../../platform/identity/key-pair.ts';
import { createTokenJudge } from '../../sidecar/access/token.ts';
import { loopbackAddress } from '../support/loopback-block.ts';
import { until } from '../support/until.ts';
import { answerOf, dialHttp2, httpEnclave, tokenIssuer } from './http-fixture.ts';
import { dial, drainOf, httpOver, undoAll } from './sidecar-fixture.ts';
import { owner, SERVER_NAME, signedTrust, trustDocument, unixNow, userCredential } from './trust-fixture.ts';

afterEach(undoAll);

async function jwtEnclave(...[changes, handle]: Parameters<typeof httpEnclave>) {
  const enclave = await httpEnclave({ auth: 'jwt', ownerKey: undefined, ...changes }, handle);
  const issuer = await tokenIssuer();
  enclave.agent.publish(signedTrust(trustDocument(2, { tokenKeys: issuer.tokenKeys })));
  await until('the key is known', () => enclave.metrics.values.get('trust_document_version{}') === 2);
  const ask = async (header: string) => httpOver(await dial(enclave.bind), '/', header);
  return { ...enclave, ...issuer, ask };
}

test('who shows no good token keeps no connection', async () => {
  const { app, bind } = await jwtEnclave();
  const stranger = await dial(bind);
  const answer = drainOf(stranger);
  const refused = 'POST / HTTP/1.1\r\nhost: e\r\ncontent-length: 3\r\n\r\nabc';
  stranger.write(
    `${refused.repeat(3)}POST / HTTP/1.1\r\nhost: e\r\ncontent-length: 1000000\r\n\r\nnever ends`,
  );
  const text = await answer;
  expect(text.match(/HTTP\/1.1 401/g)).toHaveLength(1);
  expect(text).toMatch(/www-authenticate: Bearer/i);
  const session = await dialHttp2(bind);
  const ended = new Promise((resolve) => session.once('close', resolve));
  expect(await answerOf(session.request({ ':path': '/', ':method': 'POST' }))).toMatchObject({
    status: 401,
    body: expect.stringContaining('token-missing'),
  });
  await ended;
  expect(app.requests).toEqual([]);
});

test('strangers who say nothing hold a quarter of the places, and none of who was let in', async () => {
  const { bind, metrics, token } = await jwtEnclave({ maxConnections: 32 });
  const user = await dial(bind);
  const said = once(user, 'data');
  user.write(`GET / HTTP/1.1\r\nhost: e\r\nauthorization: Bearer ${await token()}\r\n\r\n`);
  expect(String((await said)[0])).toContain(' 201 ');
  const strangers: TLSSocket[] = [];
  for (let i = 0; i < 40; i += 1)
    strangers.push(await dial(bind, undefined, { localAddress: loopbackAddress() }));
  for (const socket of strangers) socket.resume();
  const gone = () => strangers.filter((socket) => socket.destroyed || socket.readableEnded);
  await until('places', () => gone().length === 32);
  expect(strangers.slice(-8).filter((socket) => socket.closed)).toEqual([]);
  expect(metrics.values.get('connections_dropped_total{}')).toBeUndefined();
  expect(metrics.values.get('refusals_total{code="too-many-connections"}')).toBe(32);
  expect([user.closed, user.readableEnded]).toEqual([false, false]);
});

test('each request is judged by its token, of front’s key, for this enclave', async () => {
  const { app, ask, token, health } = await jwtEnclave();
  expect((await ask(`authorization: Bearer ${await token()}\r\n`)).status).toBe(201);
  expect(app.requests.at(-1)?.headers).toMatchObject({
    'x-enclave-user': 'carol',
    'x-enclave-access': 'token',
  });
  const count = app.requests.length;
  for (const header of [
    '',
    'authorization: Basic Y2Fyb2w6eA==\r\n',
    `authorization: Bearer ${await token({ aud: 'enclave-licensing.dev/front' })}\r\n`,
    `authorization: Bearer ${await token({ iss: 'somebody' })}\r\n`,
    `authorization: Bearer ${await token({ exp: unixNow() - 60 })}\r\n`,
    `authorization: Bearer ${await token({ exp: undefined as unknown as number })}\r\n`,
    `authorization: Bearer ${await token({ sub: '' })}\r\n`,
    `authorization: Bearer ${await token({ sub: ['carol'] as unknown as string })}\r\n`,
    `authorization: Bearer ${await token({ sub: 7 as unknown as string })}\r\n`,
    `authorization: Bearer ${await token({ sub: 'é'.repeat(127) })}\r\n`,
    `authorization: Bearer ${await token({}, generateKey())}\r\n`,
    `authorization: Bearer ${(await token()).split('.').slice(0, 2).join('.')}.\r\n`,
    `authorization: Bearer ${'a'.repeat(9000)}\r\n`,
    `x-enclave-token: ${await token()}\r\nx-enclave-token: ${await token()}\r\n`,
    `x_enclave_token: ${await token()}\r\n`,
  ])
    expect((await ask(header)).status, header).toBe(401);
  expect(app.requests.length).toBe(count);
  expect(health.ready().ok).toBe(true);
});

test('the token goes no further; a credential of the app’s own does', async () => {
  const { app, ask, bind, token } = await jwtEnclave();
  const good = await token();
  await ask(`authorization: Bearer ${good}\r\n`);
  expect(app.requests.at(-1)?.headers.authorization).toBeUndefined();
  await ask(`x-enclave-token: ${good}\r\nauthorization: Basic YXBw\r\n`);
  expect(app.requests.at(-1)?.headers.authorization).toBe('Basic YXBw');
  await ask(`x-enclave-token: ${good}\r\nauthorization: Bearer ${good}\r\n`);
  expect(JSON.stringify(app.requests.map(({ rawHeaders }) => rawHeaders))).not.toContain(good);
  // A certificate of the owner's is as good as ever, and needs none.
  expect((await httpOver(await dial(bind, userCredential(owner)), '/')).status).toBe(401);
});

test('an owner’s certificate needs no token, and one that comes along goes no further either', async () => {
  const { app, bind } = await httpEnclave({ auth: 'jwt' });
  const ask = async (header: string) => {
    expect((await httpOver(await dial(bind, userCredential(owner)), '/', header)).status).toBe(201);
    return app.requests.at(-1)?.headers ?? {};
  };
  expect(await ask('')).toMatchObject({ 'x-enclave-user': 'alice', 'x-enclave-access': 'owner' });
  const { token } = await tokenIssuer();
  const [ours, several] = [await token({ exp: unixNow() - 60 }), await token({ aud: ['x', SERVER_NAME] })];
  for (const value of [`Bearer ${ours}`, `bearer  ${several}`, `Token token="${ours}"`, ours])
    expect(await ask(`authorization: ${value}\r\n`), value).not.toHaveProperty('authorization');
  expect(await ask(`x-enclave-token: ${ours}\r\n`)).not.toHaveProperty('x-enclave-token');
  for (const value of [
    `Bearer ${await token({ aud: 'another' })}`,
    'Bearer a.bnVsbA.c',
    'Bearer a.%.c',
    'Basic YXBw',
  ])
    expect(await ask(`authorization: ${value}\r\n`)).toMatchObject({ authorization: value });
});

test('a stream ends with its token, and when its user or its key is revoked', async () => {
  const { agent, app, bind, token, tokenKeys, logged } = await jwtEnclave({}, (_request, response) => {
    response.writeHead(200).write('begun');
  });
  const open = async (claims: JWTPayload) => {
    const session = await dialHttp2(bind);
    const stream = session.request({ ':path': '/', authorization: `Bearer ${await token(claims)}` });
    const answer = answerOf(stream);
    await new Promise((resolve) => stream.once('data', resolve));
    return { answer, closed: () => stream.closed };
  };
  const short = await open({ exp: unixNow() + 2 });
  const [carol, dave] = [await open({}), await open({ sub: 'dave' })];
  expect(await short.answer).toMatchObject({ status: 200, body: 'begun', rstCode: 12 });
  expect(logged('the token has expired')).toBe(true);
  expect([carol.closed(), dave.closed()]).toEqual([false, false]);
  const revoked = { certificates: [], users: [{ user: 'carol' }], grants: [] };
  agent.publish(signedTrust(trustDocument(3, { tokenKeys, revoked })));
  expect(await carol.answer).toMatchObject({ rstCode: 12 });
  expect(dave.closed()).toBe(false);
  const other = await tokenIssuer();
  agent.publish(signedTrust(trustDocument(4, { tokenKeys: other.tokenKeys })));
  expect(await dave.answer).toMatchObject({ rstCode: 12 });
  await until('the app hears of it', () => app.requests.every(({ destroyed }) => destroyed));
});

test('a token that was good ends all the same, and with its user', async () => {
  const { tokenKeys, token } = await tokenIssuer();
  const judge = createTokenJudge(SERVER_NAME);
  const exp = unixNow() + 60;
  const [text, trust] = [await token({ exp }), trustDocument(2, { tokenKeys })];
  expect(await judge(text, trust, unixNow())).toMatchObject({
    ok: true,
    value: { user: 'carol', notAfter: exp },
  });
  expect(await judge(text, trust, exp + 1)).toMatchObject({ ok: false, code: 'token-invalid' });
  const revoked = { ...trust.revoked, users: [{ user: 'carol' }] };
  expect(await judge(text, { ...trust, revoked }, unixNow())).toMatchObject({
    ok: false,
    code: 'user-revoked',
  });
});
