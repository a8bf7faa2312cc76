import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { connectFront } from '../../client/library/front/front-client.ts';
import { readPinnedRoots } from '../../client/library/trust/pinned-roots.ts';
import { SessionStore } from '../../client/state/session-store.ts';
import { ENCLAVE_NAMESPACE } from '../../tools/cluster/environment.ts';
import { policyObject, profileObject } from '../../tools/demo/operator.ts';
import type { Person } from '../../tools/demo/people.ts';
import { type Forwarded, forwarded } from '../support/forwarded.ts';
import { until } from '../support/until.ts';
import { startWorld, succeed, type World } from '../support/world.ts';
import { ask, atEnd, dial, endOf, hangUp, hold, lastWordsOf, WITHIN_MS } from './held-connections.ts';

let world: World;
let alice: Person;
let enclave: string;
let operator: string[];

beforeAll(async () => {
  world = await startWorld();
  alice = await world.user('alice');
  operator = ['--kubeconfig', world.environment.cluster.kubeconfig];
  enclave = await launchOf(alice, 'hello');
});
afterAll(() => world?.stop());

afterEach(hangUp);

async function launchOf(who: Person, profile: string, ...flags: string[]): Promise<string> {
  const said = await succeed(who, ['launch', profile, '--json', '--timeout', '90s', ...flags]);
  return (JSON.parse(said) as { enclave: string }).enclave;
}

/** Somebody whom alice lets in: account, key, grant, certificate. */
async function guest(name: string, id = enclave): Promise<{ who: Person; key: string; file: string }> {
  const who = await world.user(name);
  const { keySha256: key } = JSON.parse(await succeed(who, ['key', id, '--new', '--json'])) as {
    keySha256: string;
  };
  const file = join(alice.home, `${name}.grant`);
  await succeed(alice, [
    ...['grant', id, '--key-sha256', key, '--user', who.name, '--for', '8h', '--out', file],
  ]);
  await succeed(who, ['certificate', id, '--grant', file]);
  return { who, key, file };
}

/** `connect` with a connection through it. */
async function connectOf(who: Person): Promise<Forwarded> {
  const connection = await forwarded(who, world.settings, [enclave]);
  atEnd(() => connection.stop('SIGKILL'));
  const local = await connection.open();
  atEnd(() => local.destroy());
  const answer = new Promise((resolve) => local.once('data', (chunk) => resolve(chunk.toString())));
  local.write('GET /piped HTTP/1.1\r\nhost: app\r\n\r\n');
  expect(await answer).toContain('"path":"/piped"');
  return connection;
}

test('a grant lets in, with evidence and all; taken back, its open connections end, and connect says why', async () => {
  const { who: bob, key, file } = await guest('bob');
  const socket = await hold(await dial(bob, enclave));
  const own = await hold(await dial(alice, enclave));
  const connected = await connectOf(bob);

  // Neither somebody else's key nor another owner's word counts.
  const mallory = await world.user('mallory');
  await succeed(mallory, ['key', enclave, '--new']);
  const stolen = await mallory.enclavectl(['certificate', enclave, '--grant', file, '--json']);
  expect(JSON.parse(stolen.stdout)).toMatchObject({ code: 'grant-invalid' });
  const foreign = await mallory.enclavectl(['revoke-grant', enclave, '--key-sha256', key, '--json']);
  expect(JSON.parse(foreign.stdout)).toMatchObject({ ok: false, code: 'enclave-unknown' });

  const answer = JSON.parse(await succeed(alice, ['revoke-grant', enclave, '--key-sha256', key, '--json']));
  const ms = await endOf(socket);
  expect(answer).toMatchObject({ ok: true, keySha256: key, user: bob.name });
  expect(ms).toBeLessThan(WITHIN_MS);
  expect(own.closed).toBe(false);

  // A new connection is refused, and why is told with what to do: by connect, which ends with it.
  expect(await ask(await dial(bob, enclave))).toBe('');
  const refused = await bob.enclavectl(['connect', enclave, '--json']);
  expect(refused.code).toBe(4);
  expect(JSON.parse(refused.stdout)).toMatchObject({
    code: 'grant-revoked',
    remedy: expect.stringContaining('--new --replace'),
  });
  expect(await connected.exit).toBe(4);
  expect(connected.said()).toContain('(grant-revoked)');
  // No certificate by that grant any more either; with another key it begins anew.
  expect(JSON.parse((await bob.enclavectl(['certificate', enclave, '--json'])).stdout)).toMatchObject({
    code: 'user-certificate-denied',
  });
  const again = JSON.parse(await succeed(bob, ['key', enclave, '--new', '--replace', '--json'])) as {
    keySha256: string;
  };
  const next = join(alice.home, 'bob-again.grant');
  await succeed(alice, [
    ...['grant', enclave, '--key-sha256', again.keySha256, '--user', bob.name, '--for', '1h', '--out', next],
  ]);
  await succeed(bob, ['certificate', enclave, '--grant', next]);
  expect(await ask(await dial(bob, enclave))).toContain('"path":"/mine"');
});

test('a user whom the operator revokes is out with every connection, session and certificate, until restored', async () => {
  const { who: carol } = await guest('carol');
  const socket = await hold(await dial(carol, enclave));
  await succeed(alice, ['admin', 'users', 'revoke', carol.name, ...operator]);
  expect(await endOf(socket)).toBeLessThan(WITHIN_MS);
  const refused = async (...args: string[]) => {
    const { code, stdout } = await carol.enclavectl([...args, '--json']);
    return { exit: code, ...(JSON.parse(stdout) as { code: string }) };
  };
  const out = { exit: 4, code: 'user-revoked' };
  expect(await refused('connect', enclave)).toMatchObject(out);
  expect(await refused('certificate', enclave)).toMatchObject(out);
  expect(await refused('login', carol.name, '--password-file', carol.passwordFile)).toMatchObject(out);
  await succeed(alice, ['admin', 'users', 'restore', carol.name, ...operator]);
  await until(
    'carol is back',
    async () => (await carol.enclavectl(['connect', enclave], { input: '' })).code === 0,
    30_000,
  );
  expect(await ask(await dial(carol, enclave))).toContain('"path":"/mine"');
});

/** A token of that user for an enclave of theirs, as enclavectl gets it. */
async function tokenFor(who: Person, id: string): Promise<string> {
  const session = new SessionStore(join(who.home, '.local/state/enclavectl')).load();
  const { frontAddress, rootsFile } = world.environment;
  const { roots } = readPinnedRoots(readFileSync(rootsFile, 'utf8'), rootsFile);
  const [host = '', port] = frontAddress.split(':');
  const front = connectFront({ host, port: Number(port) }, roots.system);
  atEnd(() => front.close());
  return (await front.issueEnclaveToken({ enclave: id }, { token: session?.token ?? '', timeoutMs: 10_000 }))
    .token;
}

test('with auth: jwt a request that is under way ends too when its user is revoked', async () => {
  const profile = profileObject(world.environment) as { metadata: object; spec: object };
  const web = {
    ...profile,
    metadata: { ...profile.metadata, name: 'web' },
    spec: { ...profile.spec, mode: 'http', auth: 'jwt' },
  };
  await world.environment.kubectl(['apply', '-f', '-'], JSON.stringify(web));
  const policy = join(alice.home, 'web.yaml');
  writeFileSync(policy, stringify({ ...policyObject(world.environment), modes: ['http'], auth: ['jwt'] }));
  const begun = async (who: Person) => {
    const id = await launchOf(who, 'web', '--policy', policy);
    const authorization = `authorization: Bearer ${await tokenFor(who, id)}\r\n`;
    return { id, authorization, socket: await hold(await dial(who, id, false), authorization) };
  };
  const dave = await world.user('dave');
  const [his, hers] = [await begun(dave), await begun(alice)];
  // A token for one enclave is none for another.
  expect(await ask(await dial(alice, hers.id, false), his.authorization)).toMatch(/^HTTP\/1.1 401 /);
  await succeed(alice, ['admin', 'users', 'revoke', dave.name, ...operator]);
  expect(await lastWordsOf(his.socket)).toMatch(/^(HTTP\/1.1 401 [\s\S]*"code":"user-revoked"|$)/);
  expect(hers.socket.closed).toBe(false);
  const refused = await ask(await dial(dave, his.id, false), his.authorization);
  expect(refused).toMatch(/^HTTP\/1.1 403 [\s\S]*"code":"user-revoked"/);
});

test('a pod that is being deleted forwards what is under way, and not for whom is revoked meanwhile', async () => {
  const id = await launchOf(alice, 'hello');
  const [bill, cora] = [await guest('bill', id), await guest('cora', id)];
  const own = await hold(await dial(alice, id));
  const [granted, known] = [await hold(await dial(bill.who, id)), await hold(await dial(cora.who, id))];
  await world.environment.kubectl([
    ...['delete', 'pod', id, '-n', ENCLAVE_NAMESPACE, '--wait=false', '--grace-period=120'],
  ]);
  // The app has been told to end, and waits for what it was asked.
  await Promise.all([
    succeed(alice, ['revoke-grant', id, '--key-sha256', bill.key]),
    succeed(alice, ['admin', 'users', 'revoke', cora.who.name, ...operator]),
  ]);
  for (const ms of await Promise.all([endOf(granted), endOf(known)])) expect(ms).toBeLessThan(WITHIN_MS);
  expect(own.closed).toBe(false);
  const answer = lastWordsOf(own);
  own.write('0\r\n\r\n');
  expect(await answer).toContain('"received":5');
});

test('a pod that is no longer what it was certified as: its agent revokes it, and it lets nobody in', async () => {
  const socket = await hold(await dial(alice, enclave));
  const [app] = (await world.pods()).find(({ metadata }) => metadata.name === enclave)?.spec.containers ?? [];
  const image = app?.image.replace(/@sha256:.{8}/, '@sha256:00000000');
  const patch = JSON.stringify({ spec: { containers: [{ ...app, image }] } });
  const patched = await world.environment.tryKubectl([
    'patch',
    'pod',
    enclave,
    '-n',
    ENCLAVE_NAMESPACE,
    '-p',
    patch,
  ]);
  // A real API server keeps the image as it is: there is nothing to revoke.
  if (world.environment.cluster.real) return expect(patched.code).not.toBe(0);
  expect(patched.code, patched.stderr).toBe(0);
  expect(await endOf(socket)).toBeLessThan(WITHIN_MS);
  const logged = async (text: string): Promise<boolean> =>
    [...(await world.environment.logs()).values()].some((log) => log.includes(text));
  expect(await logged('"code":"enclave-revoked"')).toBe(true);
  await until('the agent revoked it', () => logged('certificates revoked'));
  return expect((await alice.enclavectl(['connect', enclave])).code).not.toBe(0);
});
