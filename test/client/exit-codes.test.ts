import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { rootsSha256, rootsToJson } from '../../formats/evidence/roots.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import { RpcRefusal } from '../../platform/rpc/rpc-error.ts';
import { type FakeFront, fakeFront } from '../support/client-front.ts';
import { type Person, person } from '../support/enclavectl.ts';
import { fixtureRoots } from '../support/fixture-certificates.ts';

let front: FakeFront;
let bob: Person;
beforeAll(async () => {
  front = await fakeFront();
});
beforeEach(() => {
  bob = person(front.address);
});
afterEach(() => {
  bob.remove();
  front.override({});
});
afterAll(() => front.close());

async function login(): Promise<void> {
  const done = await bob.run('login', 'bob', '--password-file', bob.file('password', 'correct horse'));
  expect(done, done.err).toMatchObject({ exit: 0 });
}

test.each([
  [['bogus'], 'wrong-use'],
  [['launch'], 'wrong-use'],
  [['ls', '--bogus'], 'wrong-use'],
  [['launch', 'hello', '--timeout', 'soon'], 'wrong-use'],
  [['--server', 'nonsense', 'ls'], 'server-invalid'],
  [['--ca', '/no/such/file', 'ls'], 'enoent'],
  [['--ca', '/etc/hostname/file', 'ls'], 'enotdir'],
  [['--ca', `/${'x'.repeat(300)}`, 'ls'], 'enametoolong'],
  [['--ca', '/dev/null', 'ls'], 'not-a-file'],
  [['--policy', '/no/such/file', 'launch', 'hello'], 'policy-unreadable'],
  [['verify', '/no/such/file'], 'enoent'],
  [['login', 'bob'], 'password-missing'],
  [['connect', 'eunknown'], 'enclave-key-unknown'],
  [['connect', '../x'], 'enclave-id-invalid'],
  [['bundle', 'show'], 'enclave-ambiguous'],
  [['init', '--fingerprint', 'ab'], 'roots-unknown'],
])('2: %j', async (argv, code) => {
  const { exit, out } = await bob.run(...argv, '--json');
  expect({ exit, ...JSON.parse(out) }).toMatchObject({ exit: 2, ok: false, code });
});

test('2: an unreadable bundle, a policy with a wrong member, each named', async () => {
  const bad = bob.file('bad.json', '{"statement":"x","statement":"y"}');
  const bundle = await bob.run('verify', bad);
  expect(bundle.exit).toBe(2);
  expect(bundle.err).toContain(bad);
  const policy = bob.file('policy.yaml', 'eks: []\n');
  const refused = await bob.run('verify', bad, '--policy', policy);
  expect(refused).toMatchObject({ exit: 2 });
  expect(refused.err).toContain('policy.yaml');
});

test('3: nobody there; 4: a server whose CA no pinned root vouched for', async () => {
  const password = bob.file('password', 'correct horse');
  const away = await bob.run('--server', '127.0.0.1:1', 'login', 'bob', '--password-file', password);
  expect(away).toMatchObject({ exit: 3 });
  const others = bob.file('other-roots.json', rootsToJson(fixtureRoots('another cluster')));
  const stranger = await bob.run('--ca', others, 'login', 'bob', '--password-file', password);
  expect(stranger).toMatchObject({ exit: 4 });
  expect(stranger.err).toContain('(ca-not-vouched)');
  expect(stranger.err).not.toContain('correct horse');
});

test('4: not logged in, wrong password, a session of another server, no seat', async () => {
  expect(await bob.run('ls')).toMatchObject({ exit: 4 });
  const wrong = await bob.run('login', 'bob', '--password-file', bob.file('password', 'incorrect'));
  expect(wrong).toMatchObject({ exit: 4 });
  expect(wrong.err).toContain('(wrong-credentials)');
  await login();
  const session = join(bob.home, '.local/state/enclavectl/session.json');
  const kept = readFileSync(session, 'utf8');
  writeFileSync(session, kept.replace(front.address, 'elsewhere:1'));
  expect(await bob.run('ls')).toMatchObject({ exit: 4 });
  writeFileSync(session, kept);
  front.override({
    launch: () => {
      throw new RpcRefusal('RESOURCE_EXHAUSTED', {
        code: 'no-seat',
        message: 'every seat is taken',
        remedy: 'stop one',
      });
    },
  });
  const { exit, out } = await bob.run('launch', 'hello', '--json');
  expect({ exit, ...JSON.parse(out) }).toMatchObject({ exit: 4, code: 'no-seat', remedy: 'stop one' });
  expect(readdirSync(join(bob.home, '.local/state/enclavectl/launches'))).toEqual([]);
  expect(await bob.run('logout')).toMatchObject({ exit: 0 });
  expect(await bob.run('ls')).toMatchObject({ exit: 4 });
});

test('5: a fault of the server', async () => {
  await login();
  front.override({ listEnclaves: async () => Promise.reject(new Error('boom')) });
  const { exit, err } = await bob.run('ls');
  expect(exit).toBe(5);
  expect(err).not.toContain('boom');
});

test('a launch that the server breaks off is joined with the same id; an interrupted one can be', async () => {
  await login();
  const before = front.launchIds.length;
  let turn = 0;
  const ids: string[] = [];
  front.override({
    launch: async function* (request) {
      ids.push(Buffer.from(request.launchId).toString('hex'));
      turn += 1;
      yield { event: { $case: 'progress', value: { enclave: 'e1', phase: 1, message: '', at: undefined } } };
      if (turn === 1)
        throw new RpcRefusal(
          'UNAVAILABLE',
          { code: 'stopping', message: 'front is being restarted', remedy: 'again' },
          { retryAfterMs: 10 },
        );
      await new Promise(() => undefined);
    },
  });
  const running = bob.start('launch', 'hello');
  await expect.poll(() => ids.length).toBe(2);
  expect(ids[1]).toBe(ids[0]);
  await expect.poll(() => running.out().match(/seat/g)?.length).toBe(2);
  running.interrupt();
  const { exit, err } = await running.ended;
  expect(exit).toBe(130);
  expect(err).toContain(`--launch-id ${ids[0]}`);
  front.override({});
  const joined = await bob.run('launch', 'hello', '--launch-id', ids[0] ?? '');
  expect(joined, joined.err).toMatchObject({ exit: 0 });
  expect(front.launchIds.slice(before)).toEqual([ids[0]]);
  const unknown = await bob.run('launch', 'hello', '--launch-id', '00'.repeat(16));
  expect(unknown).toMatchObject({ exit: 2 });
});

test('a timeout ends a launch that never ends, as unreachable', async () => {
  await login();
  front.override({
    launch: async function* () {
      yield { event: { $case: 'progress', value: { enclave: 'e1', phase: 1, message: '', at: undefined } } };
      await new Promise(() => undefined);
    },
  });
  expect(await bob.run('launch', 'hello', '--timeout', '300ms')).toMatchObject({ exit: 3 });
});

test('roots by fingerprint are taken from the server only when they are those; pinned ones are not changed in silence', async () => {
  const fingerprint = rootsSha256(nodeCrypto, rootsToJson(fixtureRoots()));
  const spelled = fingerprint.toUpperCase().replace(/../g, '$&:').slice(0, -1);
  const home = person(front.address);
  try {
    const without = (...argv: string[]) => home.run('--ca', '', ...argv);
    const wrong = await without('init', '--fingerprint', 'ab'.repeat(32), '--json');
    expect({ exit: wrong.exit, ...JSON.parse(wrong.out) }).toMatchObject({
      exit: 4,
      code: 'fingerprint-differs',
    });
    expect(await without('ls')).toMatchObject({ exit: 2 });
    const right = await without('init', '--fingerprint', spelled, '--json');
    expect(JSON.parse(right.out)).toMatchObject({ ok: true, rootsSha256: fingerprint });
    expect(await without('ls')).toMatchObject({ exit: 4 });
    const others = home.file('others.json', rootsToJson(fixtureRoots('another cluster')));
    for (const argv of [['init'], ['ls']]) {
      const differs = await home.run('--ca', others, ...argv, '--json');
      expect({ exit: differs.exit, ...JSON.parse(differs.out) }).toMatchObject({
        exit: 4,
        code: 'roots-differ',
      });
    }
    expect(await home.run('--ca', others, 'init', '--replace')).toMatchObject({ exit: 0 });
  } finally {
    home.remove();
  }
});
