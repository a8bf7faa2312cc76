import { readFileSync } from 'node:fs';
import { afterEach, expect, test } from 'vitest';
import { EVIDENCE_ALPN } from '../../names/wire.ts';
import type { Credential } from '../../platform/identity/credential.ts';
import { generateKey } from '../../platform/identity/key-pair.ts';
import { ACCESS_REMEDIES } from '../../sidecar/access/code.ts';
import { createTestAuthority } from '../support/test-authority.ts';
import { until } from '../support/until.ts';
import { httpEnclave, tokenIssuer } from './http-fixture.ts';
import { agentFixture, dial, drainOf, echoApp, httpOver, startSidecar, undoAll } from './sidecar-fixture.ts';
import { grantFor, owner, signedTrust, trustDocument, unixNow, userCredential } from './trust-fixture.ts';

afterEach(undoAll);

async function decisionOf(
  bind: string,
  credential?: Credential,
  headers = '',
): Promise<Record<string, unknown>> {
  const socket = await dial(bind, credential, { ALPNProtocols: [EVIDENCE_ALPN] });
  return JSON.parse((await httpOver(socket, '/v1/access-decision', headers)).body);
}

test('who is refused on a data connection is told why, with what to do, and nothing of anybody else', async () => {
  const agent = await agentFixture();
  const app = await echoApp();
  const { bind, health, logged, metrics } = startSidecar(agent, { upstream: String(app.port) });
  await until('readiness', () => health.ready().ok);
  const dialled = app.dialled;
  const friend = generateKey();
  const grant = {
    ownerKeySha256: 'aa'.repeat(32),
    keySha256: 'bb'.repeat(32),
    enclave: 'e',
    until: unixNow(),
  };
  const revoked = {
    certificates: [],
    users: [{ user: 'mallory' }, { user: 'secretly-revoked' }],
    grants: [grant],
  };
  agent.publish(signedTrust(trustDocument(2, { revoked })));
  await until('version 2', () => metrics.values.get('trust_document_version{}') === 2);
  const cases: readonly [keyof typeof ACCESS_REMEDIES, Credential | undefined][] = [
    ['certificate-missing', undefined],
    ['enclave-mismatch', userCredential(owner, { enclave: 'eother' })],
    ['key-not-owner', userCredential(friend)],
    ['grant-invalid', userCredential(friend, { user: 'eve', ...grantFor(friend) })],
    [
      'grant-expired',
      userCredential(friend, { user: 'bob', ...grantFor(friend, { notAfter: unixNow() - 9 }) }),
    ],
    ['user-revoked', userCredential(owner, { user: 'mallory' })],
    ['certificate-untrusted', userCredential(owner, { user: 'mallory' }, {}, createTestAuthority('users'))],
    ['certificate-expired', userCredential(owner, {}, { notBefore: unixNow() - 9, notAfter: unixNow() - 3 })],
  ];
  for (const [code, credential] of cases) {
    const { message, ...rest } = await decisionOf(bind, credential);
    expect(rest).toEqual({ allowed: false, code, remedy: ACCESS_REMEDIES[code] });
    expect(message).toEqual(expect.stringMatching(/^\S.{10,200}$/));
    for (const foreign of ['secretly', 'alice', 'aa'.repeat(8)]) expect(message).not.toContain(foreign);
    expect(await drainOf(await dial(bind, credential))).toBe('');
    await until(`${code} in the log`, () => logged(`"${code}"`) || logged(code));
  }
  expect(await decisionOf(bind, userCredential(owner))).toMatchObject({
    allowed: true,
    via: 'owner',
    user: 'alice',
  });
  expect(app.dialled).toBe(dialled);
});

test('with auth: jwt the decision is about the token that comes along', async () => {
  const enclave = await httpEnclave({ auth: 'jwt', ownerKey: undefined });
  const issuer = await tokenIssuer();
  enclave.agent.publish(signedTrust(trustDocument(2, { tokenKeys: issuer.tokenKeys })));
  await until('the key is known', () => enclave.metrics.values.get('trust_document_version{}') === 2);
  const ask = (token?: string) =>
    decisionOf(enclave.bind, undefined, token === undefined ? '' : `authorization: Bearer ${token}\r\n`);
  expect(await ask()).toMatchObject({
    allowed: false,
    code: 'token-missing',
    remedy: ACCESS_REMEDIES['token-missing'],
  });
  expect(await ask('e30.e30.e30')).toMatchObject({ allowed: false, code: 'token-invalid' });
  expect(await ask(await issuer.token())).toMatchObject({ allowed: true, via: 'token', user: 'carol' });
  const revoked = { certificates: [], users: [{ user: 'carol' }], grants: [] };
  enclave.agent.publish(signedTrust(trustDocument(3, { tokenKeys: issuer.tokenKeys, revoked })));
  await until('version 3', () => enclave.metrics.values.get('trust_document_version{}') === 3);
  expect(await ask(await issuer.token())).toMatchObject({ allowed: false, code: 'user-revoked' });
});

test('the documentation lists every code with what to do about it', () => {
  const rows = readFileSync('docs/sidecar.md', 'utf8').matchAll(
    /^\| `([a-z-]+)` \| [^|]{10,} \| ([^|]+) \|$/gm,
  );
  const listed = Object.fromEntries(
    [...rows].map(([, code = '', remedy = '']) => [code, remedy.replaceAll('`', '"')]),
  );
  expect(listed).toMatchObject(ACCESS_REMEDIES);
});

test('a clock that is set back lets nobody in whose certificate has ended', async () => {
  const agent = await agentFixture();
  const app = await echoApp();
  const wall = { back: 0 };
  const clock = { now: () => Date.now() - wall.back };
  const { bind, health, metrics } = startSidecar(agent, { upstream: String(app.port) }, clock);
  await until('readiness', () => health.ready().ok);
  wall.back = 3_600_000;
  const ended = userCredential(owner, {}, { notAfter: unixNow() - 60 });
  expect(await decisionOf(bind, ended)).toMatchObject({ code: 'certificate-expired' });
  agent.publish(signedTrust(trustDocument(2, { issuedAt: unixNow() + 1 })));
  await until('version 2', () => metrics.values.get('trust_document_version{}') === 2);
  expect(await decisionOf(bind, ended)).toMatchObject({ code: 'certificate-expired' });
  expect(await decisionOf(bind, userCredential(owner))).toMatchObject({ allowed: true });
});
