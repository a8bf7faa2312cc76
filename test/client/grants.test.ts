import { createPublicKey } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { parseGrantFile } from '../../client/library/front/grant-file.ts';
import { GRANT_REVOCATION_VERSION, openGrant } from '../../formats/evidence/grant.ts';
import { encodePem } from '../../formats/x509/pem.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import { generateKey } from '../../platform/identity/key-pair.ts';
import { ENCLAVE } from '../support/client-enclave.ts';
import { type FakeFront, fakeFront } from '../support/client-front.ts';
import { aliceLoggedIn, logIn, type Person, person, type Ran } from '../support/enclavectl.ts';

const HOUR = 3600;
let front: FakeFront;
let alice: Person;
let bob: Person;
/** Revocations that came to the server. */
let revoked: { revocation: Uint8Array; signature: Uint8Array }[];

beforeAll(async () => {
  front = await fakeFront();
});
beforeEach(async () => {
  alice = await aliceLoggedIn(front.address);
  bob = person(front.address);
  revoked = [];
  front.override({
    revokeGrant: async (request) => {
      revoked.push(request);
      return { trustDocumentVersion: 12n };
    },
  });
  // Alice owns the enclave: what launch leaves behind, and no more.
  await alice.run('key', ENCLAVE, '--new');
});
afterEach(() => {
  for (const each of [alice, bob]) each.remove();
  front.override({});
});
afterAll(() => front.close());

const answer = ({ out }: Ran) => JSON.parse(out) as Record<string, unknown>;
const now = (): number => Math.floor(Date.now() / 1000);
const folder = (who: Person): string => join(who.home, '.local/state/enclavectl/enclaves', ENCLAVE);
const keyOf = async (who: Person): Promise<string> =>
  String(answer(await who.run('key', ENCLAVE, '--json'))['keySha256']);

async function grant(...flags: string[]): Promise<Ran & { file: string }> {
  const file = join(alice.home, `grant-${Math.random()}`);
  const ran = await alice.run('grant', ENCLAVE, '--user', 'bob', '--out', file, '--json', ...flags);
  return { ...ran, file };
}

function opened(file: string) {
  const read = parseGrantFile(readFileSync(file));
  const owner = createPublicKey(readFileSync(join(folder(alice), 'key.pem')));
  const spki = owner.export({ type: 'spki', format: 'der' });
  if (!read.ok) throw new Error(read.message);
  return openGrant(nodeCrypto, read.value.grant, read.value.signature, hex(spki));
}

const hex = (spki: Uint8Array): string => Buffer.from(nodeCrypto.hash('sha256', spki)).toString('hex');

test('from key to certificate: bob tells the hash, alice grants, bob gets a certificate with the grant in the request', async () => {
  const shown = await bob.run('key', ENCLAVE, '--new');
  expect(shown.out).toMatch(/^key [0-9a-f]{64}\n$/);
  expect((await bob.run('key', ENCLAVE)).out).toBe(shown.out);
  expect(answer(await bob.run('key', ENCLAVE, '--new', '--json'))['code']).toBe('key-exists');

  const key = await keyOf(bob);
  const given = await grant('--key-sha256', key, '--for', '8h');
  expect(given, given.err).toMatchObject({ exit: 0 });
  const read = opened(given.file);
  expect(read).toMatchObject({ ok: true, value: { enclave: ENCLAVE, keySha256: key, user: 'bob' } });
  const end = read.ok ? read.value.notAfter : 0;
  expect(Math.abs(end - now() - 8 * HOUR)).toBeLessThan(60);

  let asked: { grant: Uint8Array } | undefined;
  front.override({
    issueUserCertificate: async (request) => {
      asked = request;
      throw new Error('enough');
    },
  });
  await logIn(bob);
  await bob.run('certificate', ENCLAVE, '--grant', given.file);
  const file = parseGrantFile(readFileSync(given.file));
  expect(file.ok && Buffer.from(asked?.grant ?? []).equals(file.value.grant)).toBe(true);
  // Whoever was granted access grants nobody.
  const passedOn = await bob.run(
    'grant',
    ENCLAVE,
    '--user',
    'carol',
    '--key-sha256',
    'ab'.repeat(32),
    '--for',
    '1h',
  );
  expect(passedOn.exit).toBe(4);
  expect(passedOn.err).toContain('(key-not-owner)');
  const replaced = await bob.run('key', ENCLAVE, '--new', '--replace');
  expect(replaced.exit).toBe(0);
  expect(await keyOf(bob)).not.toBe(key);
});

test('an owner key is never replaced: not one that launched, not one that was certified, not one that nothing is known of', async () => {
  const hash = await keyOf(alice);
  const replace = async () => answer(await alice.run('key', ENCLAVE, '--new', '--replace', '--json'));
  const record = join(folder(alice), 'enclave.json');
  const known = JSON.parse(readFileSync(record, 'utf8'));
  writeFileSync(record, JSON.stringify({ ...known, profile: 'hello' }));
  expect(await replace()).toMatchObject({ code: 'key-is-owner' });
  rmSync(record);
  expect(await replace()).toMatchObject({ code: 'key-is-owner' });
  writeFileSync(record, JSON.stringify(known));
  writeFileSync(join(folder(alice), 'certificate.pem'), encodePem('CERTIFICATE', new Uint8Array([48, 0])));
  expect(await replace()).toMatchObject({ code: 'key-is-owner' });
  expect(await keyOf(alice)).toBe(hash);
});

test('whoever grants is named by their key on both sides, on any curve, and whatever the user is called', async () => {
  const key = generateKey('p384');
  writeFileSync(join(folder(alice), 'key.pem'), key.privateKey.export({ type: 'pkcs8', format: 'pem' }));
  await bob.run('key', ENCLAVE, '--new');
  await logIn(bob);
  const file = join(alice.home, 'g');
  const user = 'Zo\u00eb \u{1F600}';
  const flags = ['--key-sha256', await keyOf(bob), '--user', user, '--for', '1h', '--out', file, '--json'];
  expect(answer(await alice.run('grant', ENCLAVE, ...flags))).toMatchObject({
    user,
    grantedBy: hex(key.spki),
  });
  expect(opened(file)).toMatchObject({ ok: true, value: { user } });
  const shown = await bob.run('certificate', ENCLAVE, '--grant', file);
  expect(shown.out, shown.err).toContain(`granted by the owner key ${hex(key.spki)}`);
});

test('the key of a grant: PEM of a public key, a private key, or what is no key', async () => {
  const key = generateKey('p384');
  const pem = (type: 'public' | 'private'): string =>
    type === 'public'
      ? createPublicKey(key.privateKey).export({ type: 'spki', format: 'pem' }).toString()
      : key.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  for (const type of ['public', 'private'] as const) {
    const given = await grant('--key', alice.file(type, pem(type)), '--for', '1h');
    expect(opened(given.file)).toMatchObject({ value: { keySha256: hex(key.spki) } });
  }
  const wrong = await grant('--key', alice.file('none', 'hello'), '--for', '1h');
  expect(answer(wrong)).toMatchObject({ code: 'key-unreadable' });
});

test.each([
  [['--for', '8h'], 'one key is needed'],
  [['--key-sha256', 'ab'.repeat(32)], 'one end'],
  [['--key-sha256', 'AB'.repeat(32), '--for', '8h'], 'no SHA-256'],
  [['--key-sha256', 'ab'.repeat(32), '--for', '0s'], 'future'],
  [['--key-sha256', 'ab'.repeat(32), '--for', '2161h'], '90 days'],
  [['--key-sha256', 'ab'.repeat(32), '--until', '2020-01-01T00:00:00Z'], 'future'],
  [['--key-sha256', 'ab'.repeat(32), '--until', 'soon'], 'no time'],
  [['--key-sha256', 'ab'.repeat(32), '--for', '1h', '--until', '2999-01-01'], 'one end'],
  [['--key-sha256', 'ab'.repeat(32), '--for', '1h', '--user', 'a\u0007b'], 'user name'],
])('no grant: %j', async (flags, message) => {
  const refused = await grant(...flags);
  expect(refused.exit).toBe(2);
  expect(answer(refused)).toMatchObject({ ok: false, message: expect.stringContaining(message) });
  expect(() => statSync(refused.file)).toThrow(/ENOENT/);
});

test('a grant is shown as it is: another enclave, another key, over, not a grant', async () => {
  const key = generateKey();
  const given = await grant('--key-sha256', hex(key.spki), '--for', '1h');
  await logIn(bob);
  await bob.run('key', ENCLAVE, '--new');
  const refused = async (enclave: string, file: string) =>
    answer(await bob.run('certificate', enclave, '--grant', file, '--json'));
  expect(await refused(ENCLAVE, given.file)).toMatchObject({
    code: 'grant-invalid',
    message: expect.stringContaining('for the key'),
  });
  await bob.run('key', 'eother', '--new');
  expect(await refused('eother', given.file)).toMatchObject({ message: expect.stringContaining(ENCLAVE) });
  expect(await refused(ENCLAVE, bob.file('x', '{"grant":"AA==","grant":"AA=="}'))).toMatchObject({
    code: 'grant-invalid',
  });
});

test('what is taken back is signed by the owner key, lasts as long as any grant of the key, and its key is not granted again', async () => {
  const key = 'cd'.repeat(32);
  const long = await grant('--key-sha256', key, '--for', '100h');
  const short = await grant('--key-sha256', key, '--for', '1h');
  const other = await grant('--key-sha256', 'ef'.repeat(32), '--for', '1h');
  expect((await alice.run('grants', ENCLAVE)).out.match(/good/g)).toHaveLength(3);
  const done = await alice.run('revoke-grant', ENCLAVE, '--grant', short.file);
  expect(done, done.err).toMatchObject({ exit: 0 });
  const [first] = revoked;
  const owner = opened(long.file);
  const ownerKey = owner.ok ? hex(owner.value.ownerKey) : '';
  const { revocation, signature } = first ?? { revocation: new Uint8Array(), signature: new Uint8Array() };
  const said = openGrant(nodeCrypto, revocation, signature, ownerKey, GRANT_REVOCATION_VERSION);
  expect(said).toMatchObject({ ok: true, value: { enclave: ENCLAVE, keySha256: key, user: 'bob' } });
  expect(said.ok && owner.ok && said.value.notAfter).toBe(owner.ok && owner.value.notAfter);

  const again = await grant('--key-sha256', key, '--for', '1h');
  expect(answer(again)).toMatchObject({ code: 'grant-revoked' });
  const list = answer(await alice.run('grants', ENCLAVE, '--json'))['grants'] as { state: string }[];
  expect(list.map(({ state }) => state).sort()).toEqual(['good', 'revoked']);
  expect(opened(other.file).ok).toBe(true);
});

test('a key that nothing is known of is taken back for as long as any grant may last; what has ended is not', async () => {
  const done = await alice.run('revoke-grant', ENCLAVE, '--key-sha256', 'ab'.repeat(32), '--json');
  expect(answer(done)).toMatchObject({ ok: true, trustDocumentVersion: 12 });
  const until = Date.parse(String(answer(done)['until'])) / 1000;
  expect(Math.abs(until - now() - 90 * 24 * HOUR)).toBeLessThan(60);
  const path = join(folder(alice), 'grants.json');
  const ended = { keySha256: 'cd'.repeat(32), user: 'bob', notAfter: now() - 5 };
  writeFileSync(path, JSON.stringify([ended]));
  const over = await alice.run('revoke-grant', ENCLAVE, '--key-sha256', ended.keySha256, '--json');
  expect(over.exit).toBe(2);
  expect(answer(over)).toMatchObject({ code: 'grant-ended' });
  writeFileSync(path, '{"x":1}');
  expect(answer(await alice.run('grants', ENCLAVE, '--json'))).toMatchObject({ code: 'state-damaged' });
  expect(revoked).toHaveLength(1);
  expect(readdirSync(folder(alice))).not.toContain('lock');
});

test('a grant of another enclave, or by another owner, is not taken back by this key', async () => {
  const given = await grant('--key-sha256', 'ab'.repeat(32), '--for', '1h');
  await bob.run('key', ENCLAVE, '--new');
  await logIn(bob);
  const foreign = await bob.run('revoke-grant', ENCLAVE, '--grant', given.file, '--json');
  expect(answer(foreign)).toMatchObject({
    code: 'grant-invalid',
    message: expect.stringContaining('another owner key'),
  });
  expect(answer(await alice.run('revoke-grant', ENCLAVE, '--json'))).toMatchObject({ code: 'grant-invalid' });
  expect(revoked).toEqual([]);
});
