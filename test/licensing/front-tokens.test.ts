import { createLocalJWKSet, jwtVerify } from 'jose';
import { afterEach, expect, test } from 'vitest';
import { ERROR_DOMAIN } from '../../names/wire.ts';
import { type FrontFixture, follow, launchRequest, startFrontFixture } from '../support/front-fixture.ts';

let fixture: FrontFixture;
afterEach(() => fixture.close());

const NOT_THERE = { status: 'NOT_FOUND', code: 'enclave-unknown' };

test('a token for a launched enclave is its user’s alone, for that enclave alone', async () => {
  fixture = await startFrontFixture();
  const api = fixture.client();
  const [ada, bob] = [await fixture.token('ada'), await fixture.token('bob')];
  const { enclave, result } = await follow(api.launch(launchRequest(), ada));
  const { token, expiresAt, serverName } = await api.issueEnclaveToken({ enclave }, ada);
  expect(serverName).toBe(result.enclave?.serverName);
  const keys = { keys: (await fixture.front.keyring.wanted()).map(({ jwk }) => jwk) };
  const { payload } = await jwtVerify(token, createLocalJWKSet(keys), { audience: serverName });
  expect(payload).toMatchObject({ sub: 'ada', aud: serverName, iss: ERROR_DOMAIN });
  expect(payload.exp).toBe((expiresAt?.getTime() ?? 0) / 1000);
  expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(600);
  // It is none for front, from which more tokens come.
  await expect(api.issueEnclaveToken({ enclave }, { token })).rejects.toMatchObject({
    code: 'unauthenticated',
  });
  await expect(api.issueEnclaveToken({ enclave }, bob)).rejects.toMatchObject(NOT_THERE);
  await expect(api.issueEnclaveToken({ enclave }, {})).rejects.toMatchObject({ code: 'unauthenticated' });
  await api.stopEnclave({ id: enclave }, ada);
  await expect(api.issueEnclaveToken({ enclave }, ada)).rejects.toMatchObject({ code: 'enclave-not-ready' });
});

test('for a self-deployed enclave everybody has one where the operator lists its namespace, and nobody elsewhere', async () => {
  fixture = await startFrontFixture();
  const api = fixture.client();
  const bob = await fixture.token('bob');
  const { serverName } = await api.issueEnclaveToken({ enclave: 'open.web' }, bob);
  expect(serverName).toBe('open.web.enclaves.test');
  for (const enclave of ['closed.web', 'open2.web', 'ope.n.web'])
    await expect(api.issueEnclaveToken({ enclave }, bob)).rejects.toMatchObject(NOT_THERE);
  for (const enclave of ['', '.web', 'open/../web', 'OPEN.web'])
    await expect(api.issueEnclaveToken({ enclave }, bob)).rejects.toMatchObject({
      status: 'INVALID_ARGUMENT',
    });
  fixture.revoked.add('bob');
  await expect(api.issueEnclaveToken({ enclave: 'open.web' }, bob)).rejects.toMatchObject({
    status: 'PERMISSION_DENIED',
  });
});
