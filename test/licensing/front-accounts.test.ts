import { afterEach, expect, test } from 'vitest';
import type { RpcRefusal } from '../../platform/rpc/rpc-error.ts';
import { type FrontFixture, startFrontFixture } from '../support/front-fixture.ts';
import type { FrontLimits } from '../support/front-under-test.ts';

let fixture: FrontFixture | undefined;
afterEach(() => fixture?.close());
async function start(limits: FrontLimits = {}): Promise<FrontFixture> {
  fixture = await startFrontFixture(limits);
  return fixture;
}

const failure = (promise: Promise<unknown>): Promise<RpcRefusal> =>
  promise.then(
    () => {
      throw new Error('it should have been refused');
    },
    (error: RpcRefusal) => error,
  );

test('sign-up, login, a token that works; a taken name; one answer for wrong password and unknown user', async () => {
  const { client, lines, metrics, restart } = await start();
  const api = client();
  await api.signUp({ user: 'ada', password: 'correct horse' });
  const { token, expiresAt } = await api.login({ user: 'ada', password: 'correct horse' });
  expect(expiresAt?.getTime()).toBeGreaterThan(Date.now());
  expect(await api.listEnclaves({ pageSize: 0, pageToken: '' }, { token })).toEqual({
    enclaves: [],
    nextPageToken: '',
  });
  expect(await failure(api.signUp({ user: 'ada', password: 'another one' }))).toMatchObject({
    status: 'ALREADY_EXISTS',
    code: 'user-exists',
  });
  const scrypts = () => metrics.values.get('scrypts_total{}') ?? 0;
  const before = scrypts();
  const wrong = await failure(api.login({ user: 'ada', password: 'wrong horse' }));
  expect(scrypts()).toBe(before + 1);
  const unknown = await failure(api.login({ user: 'bob', password: 'wrong horse' }));
  expect(scrypts()).toBe(before + 2);
  expect(wrong).toMatchObject({ status: 'UNAUTHENTICATED', code: 'wrong-credentials' });
  expect({ ...unknown, message: unknown.message }).toEqual({ ...wrong, message: wrong.message });
  for (const options of [{}, { token: `${token}x` }])
    expect(await failure(api.listEnclaves({ pageSize: 0, pageToken: '' }, options))).toMatchObject({
      status: 'UNAUTHENTICATED',
      code: 'unauthenticated',
    });
  await restart();
  await client().listEnclaves({ pageSize: 0, pageToken: '' }, { token });
  const logged = lines.join('');
  for (const secret of ['correct horse', 'wrong horse', token, token.split('.')[2] ?? 'x'])
    expect(logged).not.toContain(secret);
});

test('a revoked user: no login, no session, and who does not know the password is not told', async () => {
  const front = await start();
  const { client, revoked } = front;
  const ada = await front.token('ada');
  revoked.add('ada');
  const api = client();
  const denied = { status: 'PERMISSION_DENIED', code: 'user-revoked' };
  expect(await failure(api.listEnclaves({ pageSize: 0, pageToken: '' }, ada))).toMatchObject(denied);
  expect(await failure(api.login({ user: 'ada', password: 'password of ada' }))).toMatchObject(denied);
  expect(await failure(api.login({ user: 'ada', password: 'a guess at it' }))).toMatchObject({
    code: 'wrong-credentials',
  });
  revoked.clear();
  await api.listEnclaves({ pageSize: 0, pageToken: '' }, ada);
});

test.each([
  ['no trust document', undefined, 'trust-document-missing'],
  ['one that is too old', 3_600_001, 'trust-document-stale'],
])('a front with %s cannot know who was revoked, and lets nobody in', async (_, ageMs, code) => {
  const front = await start();
  const { client, trust, metrics } = front;
  const ada = await front.token('ada');
  const api = client();
  trust.ageMs = ageMs;
  const away = { status: 'UNAVAILABLE', code };
  expect(await failure(api.listEnclaves({ pageSize: 0, pageToken: '' }, ada))).toMatchObject(away);
  expect(await failure(api.login({ user: 'ada', password: 'password of ada' }))).toMatchObject(away);
  expect(await failure(api.login({ user: 'ada', password: 'a guess at it' }))).toMatchObject({
    code: 'wrong-credentials',
  });
  expect(metrics.values.get(`logins_total{outcome="${code}"}`)).toBe(1);
  trust.ageMs = trust.limitMs;
  await api.listEnclaves({ pageSize: 0, pageToken: '' }, ada);
});

test('wrong fields are named, all at once', async () => {
  const front = await start();
  const { client } = front;
  const refused = await failure(client().signUp({ user: 'Ada Lovelace', password: 'short' }));
  expect(refused).toMatchObject({ status: 'INVALID_ARGUMENT', code: 'invalid-argument' });
  expect(refused.details.fields?.map((each) => each.field)).toEqual(['user', 'password']);
  const empty = Buffer.alloc(0);
  const options = await front.token('ada');
  const launch = client().launch(
    { profile: '../x', nonce: empty, certificateRequest: Buffer.from('no'), launchId: empty },
    options,
  );
  const error = await failure(launch[Symbol.asyncIterator]().next());
  expect(error.details.fields?.map((each) => each.field)).toEqual([
    'profile',
    'nonce',
    'launch_id',
    'certificate_request',
  ]);
});

test('who guesses passwords has to wait, and knows how long; the right password is not counted', async () => {
  const { client } = await start({ loginsPerUser: 3 });
  const api = client();
  await api.signUp({ user: 'ada', password: 'correct horse' });
  for (let round = 0; round < 5; round += 1) await api.login({ user: 'ada', password: 'correct horse' });
  for (let round = 0; round < 3; round += 1)
    expect((await failure(api.login({ user: 'ada', password: 'wrong' }))).status).toBe('UNAUTHENTICATED');
  const limited = await failure(api.login({ user: 'ada', password: 'correct horse' }));
  expect(limited).toMatchObject({ status: 'RESOURCE_EXHAUSTED', code: 'rate-limited' });
  expect(limited.details.retryAfterMs).toBeGreaterThan(1000);
  expect((await failure(api.login({ user: 'bob', password: 'wrong' }))).status).toBe('UNAUTHENTICATED');
});

test('one address cannot make everybody wait for scrypt', async () => {
  const { client } = await start({ loginsPerPeer: 4 });
  const api = client();
  const results = await Promise.all(
    Array.from({ length: 10 }, (_, index) => failure(api.login({ user: `user${index}`, password: 'guess' }))),
  );
  expect(results.filter((each) => each.status === 'RESOURCE_EXHAUSTED')).toHaveLength(6);
});
