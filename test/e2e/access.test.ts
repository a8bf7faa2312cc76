import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
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

/** What revocation is allowed; the words of the design. */
const WITHIN_MS = 30_000;

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

const undo: (() => unknown)[] = [];
afterEach(() => {
  for (const each of undo.splice(0)) each();
});

async function launchOf(who: Person, profile: string, ...flags: string[]): Promise<string> {
  const said = await succeed(who, ['launch', profile, '--json', '--timeout', '90s', ...flags]);
  return (JSON.parse(said) as { enclave: string }).enclave;
}

interface Record {
  readonly endpoint: string;
  readonly serverName: string;
}
const folder = (who: Person, id = enclave): string => join(who.home, '.local/state/enclavectl/enclaves', id);
const recordOf = (who: Person, id = enclave): Record =>
  JSON.parse(readFileSync(join(folder(who, id), 'enclave.json'), 'utf8')) as Record;

/** A connection that any program makes, with what enclavectl keeps. */
async function dial(who: Person, id = enclave, withCertificate = true): Promise<TLSSocket> {
  const { endpoint, serverName } = recordOf(who, id);
  const [host = '', port] = endpoint.split(':');
  const read = (name: string): string => readFileSync(join(folder(who, id), name), 'utf8');
  const socket = connect({
    ...{ host, port: Number(port), servername: serverName, rejectUnauthorized: false },
    ALPNProtocols: ['http/1.1'],
    ...(withCertificate && { cert: read('certificate.pem'), key: read('key.pem') }),
  });
  socket.on('error', () => undefined);
  undo.push(() => socket.destroy());
  await new Promise((resolve) => socket.once('secureConnect', resolve));
  return socket;
}

/** One request on a connection that stays open; empty when it is closed instead. */
function ask(socket: TLSSocket, headers = ''): Promise<string> {
  const answer = new Promise<string>((resolve) => {
    socket.once('data', (chunk) => resolve(chunk.toString()));
    socket.once('close', () => resolve(''));
  });
  socket.write(`GET /mine HTTP/1.1\r\nhost: app\r\n${headers}\r\n`);
  return answer;
}

/** A request that is under way until somebody ends it: the app waits for the rest of its body. */
async function hold(socket: TLSSocket, headers = ''): Promise<TLSSocket> {
  expect(await ask(socket, headers)).toContain('"path":"/mine"');
  socket.write(
    `POST /held HTTP/1.1\r\nhost: app\r\n${headers}transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n`,
  );
  return socket;
}

/** Milliseconds from now to its end. @throws when that takes longer than revocation may */
async function endOf(socket: TLSSocket): Promise<number> {
  const start = performance.now();
  if (!socket.closed)
    await new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('the connection is still open')), WITHIN_MS);
      socket.resume().once('close', () => {
        clearTimeout(timer);
        resolve(undefined);
      });
    });
  return performance.now() - start;
}

/** What is said on a connection before it is over: an answer to what was under way, or nothing. @throws as `endOf` */
async function lastWordsOf(socket: TLSSocket): Promise<string> {
  let said = '';
  const answered = new Promise<number>((resolve) =>
    socket.on('data', (chunk) => {
      said += chunk.toString();
      resolve(0);
    }),
  );
  await Promise.race([answered, endOf(socket)]);
  return said;
}

/** Somebody whom alice lets in: account, key, grant, certificate. */
async function guest(name: string): Promise<{ who: Person; key: string; file: string }> {
  const who = await world.user(name);
  const { keySha256: key } = JSON.parse(await succeed(who, ['key', enclave, '--new', '--json'])) as {
    keySha256: string;
  };
  const file = join(alice.home, `${name}.grant`);
  await succeed(alice, [
    ...['grant', enclave, '--key-sha256', key, '--user', who.name, '--for', '8h', '--out', file],
  ]);
  await succeed(who, ['certificate', enclave, '--grant', file]);
  return { who, key, file };
}

/** `connect` with a connection through it. */
async function connectOf(who: Person): Promise<Forwarded> {
  const connection = await forwarded(who, world.settings, [enclave]);
  undo.push(() => connection.stop('SIGKILL'));
  const local = await connection.open();
  undo.push(() => local.destroy());
  const answer = new Promise((resolve) => local.once('data', (chunk) => resolve(chunk.toString())));
  local.write('GET /piped HTTP/1.1\r\nhost: app\r\n\r\n');
  expect(await answer).toContain('"path":"/piped"');
  return connection;
}

test('a grant lets in, with evidence and all; taken back, its open connections end, and connect says why', async () => {
  const { who: bob, key, file } = await guest('bob');
  const socket = await hold(await dial(bob));
  const own = await hold(await dial(alice));
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
  expect(await ask(await dial(bob))).toBe('');
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
  expect(await ask(await dial(bob))).toContain('"path":"/mine"');
});

test('a user whom the operator revokes is out with every connection, session and certificate, until restored', async () => {
  const { who: carol } = await guest('carol');
  const socket = await hold(await dial(carol));
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
  expect(await ask(await dial(carol))).toContain('"path":"/mine"');
});

/** A token of that user for an enclave of theirs, as enclavectl gets it. */
async function tokenFor(who: Person, id: string): Promise<string> {
  const session = new SessionStore(join(who.home, '.local/state/enclavectl')).load();
  const { frontAddress, rootsFile } = world.environment;
  const { roots } = readPinnedRoots(readFileSync(rootsFile, 'utf8'), rootsFile);
  const [host = '', port] = frontAddress.split(':');
  const front = connectFront({ host, port: Number(port) }, roots.system);
  undo.push(() => front.close());
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

test('a pod that is no longer what it was certified as: its agent revokes it, and it lets nobody in', async () => {
  const socket = await hold(await dial(alice));
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
