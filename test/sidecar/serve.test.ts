import { dirname } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { afterEach, describe, expect, test } from 'vitest';
import { decodeBundle } from '../../formats/evidence/bundle.ts';
import { EVIDENCE_ALPN } from '../../names/wire.ts';
import { generateKey } from '../../platform/identity/key-pair.ts';
import { chooseProtocol } from '../../sidecar/serve/choose-protocol.ts';
import { createTestAuthority } from '../support/test-authority.ts';
import { until } from '../support/until.ts';
import {
  agentFixture,
  dial,
  drainOf,
  echoApp,
  httpOver,
  startSidecar,
  tokenFile,
  undoAll,
} from './sidecar-fixture.ts';
import { opensslSession } from './tcp-fixture.ts';
import {
  authorities,
  grantFor,
  owner,
  signedTrust,
  trustDocument,
  unixNow,
  userCredential,
} from './trust-fixture.ts';

afterEach(undoAll);

const NONCE = Buffer.alloc(16, 7).toString('base64url');
const EVIDENCE = { ALPNProtocols: [EVIDENCE_ALPN] };
const JSON_PLEASE = 'accept: application/json\r\n';

async function enclave(changes: Partial<Parameters<typeof startSidecar>[1]> = {}) {
  const agent = await agentFixture();
  const app = await echoApp();
  const sidecar = startSidecar(agent, { upstream: String(app.port), ...changes });
  await until('readiness', () => sidecar.health.ready().ok);
  const before = app.dialled;
  return { agent, app, ...sidecar, dialled: () => app.dialled - before };
}

describe('data', () => {
  test('an end without a byte before it travels on as well', async () => {
    const { bind } = await enclave();
    const socket = await dial(bind, userCredential(owner));
    const answer = drainOf(socket);
    socket.end();
    expect(await answer).toBe('');
    await until('the end of both sides', () => socket.destroyed);
  });

  test('a client that breaks off takes its connection to the app with it', async () => {
    const agent = await agentFixture();
    let open = 0;
    const app = await echoApp((socket) => {
      open += 1;
      socket.resume().once('close', () => {
        open -= 1;
      });
      socket.once('end', () => socket.end());
      socket.write('hello');
    });
    const { bind, health } = startSidecar(agent, { upstream: String(app.port) });
    await until('readiness', () => health.ready().ok && open === 0);
    const socket = await dial(bind, userCredential(owner));
    await new Promise((resolve) => socket.once('data', resolve));
    expect(open).toBe(1);
    socket.destroy();
    await until('the end at the app', () => open === 0);
  });

  test('who may not connect is told by a TLS close, before a byte is read or the app is dialled', async () => {
    const { bind, dialled, metrics } = await enclave();
    const other = generateKey();
    const refused = [
      undefined,
      userCredential(owner, { enclave: 'eother' }),
      userCredential(other, { user: 'bob' }),
      userCredential(owner, {}, {}, createTestAuthority('users')),
      authorities.system.issue({ dns: ['front.enclave-licensing.internal'] }),
      userCredential(owner, {}, { notBefore: unixNow() - 9, notAfter: unixNow() - 3 }),
    ];
    for (const credential of refused) {
      const socket = await dial(bind, credential);
      socket.write('let me in');
      const errors: Error[] = [];
      socket.on('error', (error) => errors.push(error));
      expect(await drainOf(socket)).toBe('');
      expect(errors).toEqual([]);
    }
    expect(dialled()).toBe(0);
    for (const code of ['certificate-missing', 'enclave-mismatch', 'key-not-owner', 'certificate-expired'])
      expect(metrics.values.get(`refusals_total{code="${code}"}`), code).toBe(1);
    expect(metrics.values.get('refusals_total{code="certificate-untrusted"}')).toBe(2);
  });

  test('a connection ends with the certificate', async () => {
    const { bind } = await enclave();
    const socket = await dial(bind, userCredential(owner, {}, { notAfter: unixNow() + 2 }));
    const start = Date.now();
    await drainOf(socket);
    // To the second: standing-access.test.ts, on a clock of its own.
    expect(Date.now() - start).toBeLessThan(10_000);
  });

  test('a grant lets in until it is revoked; open connections end too; only a held root is believed', async () => {
    const { agent, bind, logged, metrics } = await enclave();
    const friend = generateKey();
    const credential = userCredential(friend, { user: 'bob', ...grantFor(friend) });
    const socket = await dial(bind, credential);
    const ended = drainOf(socket);
    let open = true;
    void ended.then(() => {
      open = false;
    });
    const revoked = { certificates: [], users: [{ user: 'bob' }], grants: [] };
    const refused = () => metrics.values.get('trust_documents_total{outcome="refused"}') ?? 0;
    agent.publish(signedTrust(trustDocument(5, { revoked }), createTestAuthority('system')));
    await until('refusal of a foreign signature', () => refused() > 0);
    agent.publish(signedTrust(trustDocument(6)));
    await until('version 6', () => metrics.values.get('trust_document_version{}') === 6);
    const before = refused();
    agent.publish(signedTrust(trustDocument(3, { revoked })));
    await until('refusal of a rollback', () => refused() > before);
    expect(open).toBe(true);
    agent.publish(signedTrust(trustDocument(7, { revoked })));
    await ended;
    expect(logged('user-revoked')).toBe(true);
    expect(await drainOf(await dial(bind, credential))).toBe('');
  });

  test('TLS 1.2 is refused, nothing is resumed, ALPN is chosen by code', async () => {
    const { bind } = await enclave({ alpn: ['h2', 'http/1.1'] });
    await expect(dial(bind, undefined, { maxVersion: 'TLSv1.2' })).rejects.toThrow(/version/i);
    await expect(dial(bind, undefined, { ALPNProtocols: ['nonsense'] })).rejects.toThrow(
      /no application protocol/i,
    );
    const chosen = await dial(bind, userCredential(owner), { ALPNProtocols: ['other', 'http/1.1', 'h2'] });
    expect(chosen.alpnProtocol).toBe('http/1.1');
    const sessions: Buffer[] = [];
    const first = await dial(bind, userCredential(owner));
    first.on('session', (session) => sessions.push(session));
    first.write('x');
    await new Promise((resolve) => first.once('data', resolve));
    for (const session of sessions)
      expect((await dial(bind, userCredential(owner), { session })).isSessionReused()).toBe(false);
    // OpenSSL says the same: what it was given as a ticket names a session that nobody kept.
    const folder = dirname(tokenFile());
    const args = `-connect ${bind}:8443 -alpn ${EVIDENCE_ALPN}`;
    const said = await opensslSession(folder, args, 'first');
    expect(said).toMatch(/^New, TLSv1.3/m);
    expect(await opensslSession(folder, `${args} -sess_in first`, 'second')).toMatch(/^New, TLSv1.3/m);
    expect(said).toContain('ALPN protocol: enclave-evidence/1');
    expect(said).toContain('Acceptable client certificate CA names');
  });
});

describe('evidence', () => {
  test('fresh evidence over the live certificate, for everybody, as protobuf or JSON', async () => {
    const { bind } = await enclave();
    const socket = await dial(bind, undefined, EVIDENCE);
    const live = socket.getPeerX509Certificate()?.raw;
    const json = await httpOver(socket, `/v1/evidence?nonce=${NONCE}`, JSON_PLEASE);
    const bundle = JSON.parse(json.body);
    expect(JSON.parse(Buffer.from(bundle.statement, 'base64').toString()).nonce).toBe(NONCE);
    expect(bundle.certificateChain[0]).toBe(live?.toString('base64'));
    expect(bundle).toMatchObject({
      endpoint: `${bind}:8443`,
      serverName: expect.stringMatching(/^eabc.*internal$/),
    });
    const raw = await dial(bind, undefined, EVIDENCE);
    const chunks: Buffer[] = [];
    raw.on('data', (chunk: Buffer) => chunks.push(chunk));
    raw.write(`GET /v1/evidence?nonce=${NONCE} HTTP/1.1\r\nhost: e\r\nconnection: close\r\n\r\n`);
    await new Promise((resolve) => raw.once('close', resolve));
    const answer = Buffer.concat(chunks);
    expect(answer.toString('latin1')).toContain('application/x-protobuf');
    expect(decodeBundle(answer.subarray(answer.indexOf('\r\n\r\n') + 4)).ok).toBe(true);
  });

  test.each([
    ['/v1/evidence', 400, 'nonce-invalid'],
    ['/v1/evidence?nonce=AAAA', 400, 'nonce-invalid'],
    [`/v1/evidence?nonce=${NONCE}&nonce=${NONCE}`, 400, 'nonce-invalid'],
    [`/v1/evidence?nonce=${NONCE}=`, 400, 'nonce-invalid'],
    ['/', 404, 'not-found'],
  ])('problem: %s', async (path, status, code) => {
    const { bind } = await enclave();
    const answer = await httpOver(await dial(bind, undefined, EVIDENCE), path);
    expect(answer.status).toBe(status);
    expect(JSON.parse(answer.body)).toMatchObject({ code, status, remedy: expect.any(String) });
  });

  test('access-decision says what a data connection would be told', async () => {
    const { bind, dialled } = await enclave();
    const ask = async (credential?: Parameters<typeof dial>[1]) =>
      JSON.parse((await httpOver(await dial(bind, credential, EVIDENCE), '/v1/access-decision')).body);
    expect(await ask()).toMatchObject({ allowed: false, code: 'certificate-missing' });
    expect(await ask(userCredential(generateKey()))).toMatchObject({ allowed: false, code: 'key-not-owner' });
    expect(await ask(userCredential(owner))).toMatchObject({ allowed: true, user: 'alice', via: 'owner' });
    expect(dialled()).toBe(0);
  });

  test('one peer cannot take all of it', async () => {
    const { bind } = await enclave();
    const socket = await dial(bind, undefined, EVIDENCE);
    const answer = drainOf(socket);
    const line = 'GET /v1/access-decision HTTP/1.1\r\nhost: e\r\n';
    socket.write(`${`${line}\r\n`.repeat(120)}${line}connection: close\r\n\r\n`);
    const statuses = (await answer).match(/HTTP\/1\.1 \d+/g) ?? [];
    expect(statuses.filter((each) => each.endsWith('429')).length).toBeGreaterThan(30);
  });

  test('many peers cannot have more quotes made at one time than there are places for', async () => {
    // A quarter of them for evidence.
    const { agent, bind, metrics } = await enclave({ maxConnections: 640 });
    agent.slow = 50;
    // One question at a time of a connection, and 16 connections of an address.
    const sockets: TLSSocket[] = [];
    for (let i = 0; i < 160; i += 1)
      sockets.push(
        await dial(bind, undefined, { ...EVIDENCE, localAddress: `127.0.0.${11 + Math.floor(i / 16)}` }),
      );
    const answers = sockets.map((socket) => httpOver(socket, `/v1/evidence?nonce=${NONCE}`));
    const statuses = (await Promise.all(answers)).map(({ status }) => status);
    expect(new Set(statuses)).toEqual(new Set([200, 503]));
    expect(metrics.values.get('evidence_requests_total{outcome="limited"}')).toBe(
      statuses.filter((each) => each === 503).length,
    );
  });

  test('after a refusal of the agent every connection to it is shown the certificate again', async () => {
    const { agent, bind } = await enclave();
    const four = async () => {
      const sockets = await Promise.all(Array.from({ length: 4 }, () => dial(bind, undefined, EVIDENCE)));
      const answers = sockets.map((socket) => httpOver(socket, `/v1/evidence?nonce=${NONCE}`));
      return (await Promise.all(answers)).map(({ status }) => status);
    };
    agent.failing.add('/v1/quote');
    expect(await four()).toEqual([503, 503, 503, 503]);
    agent.failing.clear();
    expect(await four()).toEqual([200, 200, 200, 200]);
  });

  test('an agent that is away is a problem, not a broken connection', async () => {
    const { agent, bind, logged } = await enclave();
    const ask = async () => httpOver(await dial(bind, undefined, EVIDENCE), `/v1/evidence?nonce=${NONCE}`);
    agent.failing.add('/v1/quote');
    const answer = await ask();
    expect(answer.status).toBe(503);
    expect(JSON.parse(answer.body)).toMatchObject({
      code: 'evidence-unavailable',
      detail: 'the node’s agent gives no evidence (agent-answer)',
    });
    // What went wrong is for the log: an address or a file's path is no stranger's business.
    await agent.close();
    expect(JSON.parse((await ask()).body).detail).toBe(
      'the node’s agent gives no evidence (agent-unreachable)',
    );
    expect(logged(agent.host)).toBe(true);
  });
});

test('protocols: evidence only when it is the only offer', () => {
  expect(chooseProtocol([EVIDENCE_ALPN], 'tcp', ['h2'])).toBe(EVIDENCE_ALPN);
  expect(chooseProtocol([EVIDENCE_ALPN, 'h2'], 'tcp', ['h2'])).toBe('h2');
  expect(chooseProtocol([EVIDENCE_ALPN, 'x'], 'tcp', ['h2', EVIDENCE_ALPN])).toBeUndefined();
  expect(chooseProtocol(['a', 'b'], 'tcp', ['b', 'a'])).toBe('a');
  expect(chooseProtocol(['h2', 'http/1.1'], 'http', [])).toBe('h2');
  expect(chooseProtocol(['http/1.1'], 'http', ['h2'])).toBe('http/1.1');
  expect(chooseProtocol(['other', 'h3'], 'http', ['other'])).toBeUndefined();
});
