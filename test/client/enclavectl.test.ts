import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { toBase64 } from '../../formats/bytes/base64.ts';
import { encodePem } from '../../formats/x509/pem.ts';
import { generateKey } from '../../platform/identity/key-pair.ts';
import { formatPolicy } from '../../verify/policy/format-policy.ts';
import { ENCLAVE } from '../support/client-enclave.ts';
import { type FakeFront, fakeFront, userCertificate } from '../support/client-front.ts';
import { type Person, person } from '../support/enclavectl.ts';
import { FIXTURE_POLICY } from '../support/evidence.ts';

let front: FakeFront;
let alice: Person;
beforeAll(async () => {
  front = await fakeFront();
  alice = person(front.address);
});
afterAll(async () => {
  alice.remove();
  await front.close();
});

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

describe('one user, from the roots to the app', () => {
  test('init, signup, login, launch', async () => {
    const init = await alice.run('init');
    expect(init).toMatchObject({ exit: 0 });
    expect(init.out).toContain('pinned the roots');
    const password = alice.file('password', 'correct horse\n');
    expect(await alice.run('signup', 'alice', '--password-file', password)).toMatchObject({ exit: 0 });
    expect(await alice.run('login', 'alice', '--password-file', password)).toMatchObject({
      exit: 0,
      err: '',
    });
    const launched = await alice.run('launch', 'hello');
    expect(launched, launched.err).toMatchObject({ exit: 0 });
    expect(launched.out).toContain(`seat       ${ENCLAVE}`);
    expect(launched.out).toMatch(/ok +quote-signature/);
    expect(launched.out).toContain('verdict: good');
    // The fixture's policy lists no sidecar, so the specification cannot be computed; that is said.
    expect(launched.out).toContain('the specification was not computed');
    const state = join(alice.home, '.local', 'state', 'enclavectl');
    const kept = filesBelow(state);
    expect(kept.length).toBeGreaterThan(4);
    for (const file of [...kept, ...filesBelow(join(alice.home, '.config'))])
      expect(statSync(file).mode & 0o777, file).toBe(0o600);
    expect(filesBelow(join(state, 'launches'))).toEqual([]);
  });

  test('ls, status with fresh evidence, certificate', async () => {
    const listed = await alice.run('ls', '--json');
    expect(JSON.parse(listed.out)).toMatchObject({ ok: true, enclaves: [{ id: ENCLAVE, state: 'ready' }] });
    expect((await alice.run('ls')).out).toMatch(/^ENCLAVE +PROFILE +STATE/);
    const status = await alice.run('--json', 'status', ENCLAVE, '--verify');
    expect(JSON.parse(status.out)).toMatchObject({ ok: true, verdict: { ok: true } });
    const issued = await alice.run('certificate', ENCLAVE, '--json');
    const { certificate, key } = JSON.parse(issued.out);
    expect(readFileSync(certificate, 'utf8')).toContain('BEGIN CERTIFICATE');
    expect(readFileSync(key, 'utf8')).toContain('BEGIN PRIVATE KEY');
  });

  test('bundle export: tpm2_checkquote, openssl and our own verify accept the files', async () => {
    const directory = join(alice.home, 'exported');
    const exported = await alice.run('bundle', 'export', directory);
    expect(exported, exported.err).toMatchObject({ exit: 0 });
    const at = (name: string) => join(directory, name);
    const text = (name: string) => readFileSync(at(name), 'utf8').trim();
    execFileSync('tpm2_checkquote', [
      ...['-u', at('attestation-key.pem'), '-m', at('attest.bin'), '-s', at('signature.bin'), '-g', 'sha256'],
      ...['-f', at('pcr-values.bin'), '-q', text('qualifying-data.hex')],
    ]);
    execFileSync('openssl', ['verify', '-CAfile', at('roots-enclaves.pem'), at('certificate.pem')]);
    expect(statSync(at('user-key.pem')).mode & 0o777).toBe(0o600);
    const good = await alice.run('verify', directory, '--enclave', ENCLAVE);
    expect(good, good.out).toMatchObject({ exit: 0 });
    const shown = await alice.run('bundle', 'show');
    expect(shown.out).toContain('"serviceAccount": "default"');
  });

  test('connect forwards to the attested enclave, attests it anew when its certificate changes', async () => {
    const connected = alice.start('connect', ENCLAVE, '--listen', '0');
    await expect.poll(() => connected.out()).toContain('forwarding 127.0.0.1:');
    const port = Number(/127\.0\.0\.1:(\d+)/.exec(connected.out())?.[1]);
    expect(await echo(port, 'one')).toBe('one');
    front.enclave().rotate();
    expect(await echo(port, 'two')).toBe('two');
    connected.interrupt();
    const { exit, err } = await connected.ended;
    expect(exit).toBe(130);
    expect(err.match(/verdict: good/g)).toHaveLength(2);
  });

  test('connect pipes standard input and output', async () => {
    const connected = alice.start('connect', ENCLAVE);
    connected.stdin.end('through the pipe');
    expect(await connected.ended).toMatchObject({ exit: 0, out: 'through the pipe' });
  });
});

test('connect renews the certificate in the last third of its life, and makes do with the old one while it is good', async () => {
  const own = join(alice.home, '.local/state/enclavectl/enclaves', ENCLAVE);
  const spki = execFileSync('openssl', ['pkey', '-in', join(own, 'key.pem'), '-pubout', '-outform', 'DER']);
  const pem = encodePem(
    'CERTIFICATE',
    userCertificate(new Uint8Array(spki), ENCLAVE, { past: 600, left: 60 }),
  );
  const file = join(own, 'certificate.pem');
  writeFileSync(file, pem);
  front.override({ issueUserCertificate: async () => Promise.reject(new Error('away')) });
  const meanwhile = alice.start('connect', ENCLAVE);
  meanwhile.stdin.end('still in');
  const first = await meanwhile.ended;
  expect(first, first.err).toMatchObject({ exit: 0, out: 'still in' });
  expect(first.err).toContain('could not be renewed');
  expect(readFileSync(file, 'utf8')).toBe(pem);
  front.override({});
  const renewed = alice.start('connect', ENCLAVE);
  renewed.stdin.end('again');
  expect(await renewed.ended).toMatchObject({ exit: 0, out: 'again' });
  expect(readFileSync(file, 'utf8')).not.toBe(pem);
});

describe('refusals', () => {
  test('a changed byte, another nonce, another policy, an old bundle: a verdict, and 1', async () => {
    const source = join(alice.home, 'exported', 'bundle.json');
    const bundle = JSON.parse(readFileSync(source, 'utf8'));
    for (const [member, code] of [
      ['attest', undefined],
      ['signature', undefined],
      ['statement', 'batch-proof'],
    ] as const) {
      const bytes = Buffer.from(bundle[member], 'base64');
      bytes[bytes.length - 3] = (bytes[bytes.length - 3] ?? 0) ^ 1;
      const changed = alice.file('changed.json', JSON.stringify({ ...bundle, [member]: toBase64(bytes) }));
      const { exit, out } = await alice.run('verify', changed, '--json');
      expect(exit, out).toBe(1);
      const verdict = JSON.parse(out);
      expect(verdict.ok).toBe(false);
      if (code !== undefined && verdict.code !== 'qualifying-data-differs') expect(verdict.code).toBe(code);
    }
    const narrow = alice.file(
      'narrow.json',
      JSON.stringify(formatPolicy({ ...FIXTURE_POLICY, namespaces: ['other'] })),
    );
    for (const [argv, code] of [
      [['--nonce', '00'.repeat(32)], 'nonce-differs'],
      [['--policy', narrow], 'namespace-refused'],
      [['--at', String(Math.floor(Date.now() / 1000) + 400)], 'evidence-too-old'],
      [['--owner-key', 'ab'.repeat(32)], 'owner-refused'],
    ] as const) {
      const { exit, out, err } = await alice.run('verify', source, ...argv);
      expect(exit, out).toBe(1);
      expect(out).toContain(`verdict: REFUSED, ${code}`);
      expect(err).toContain(`(${code})`);
    }
  });

  test("another user's certificate is not let in, by the enclave's own reason", async () => {
    const mallory = person(front.address);
    try {
      const password = mallory.file('password', 'correct horse');
      await mallory.run('login', 'mallory', '--password-file', password);
      const folder = join(mallory.home, '.local/state/enclavectl/enclaves', ENCLAVE);
      const key = generateKey();
      await mallory.run('key', ENCLAVE, '--new');
      writeFileSync(join(folder, 'key.pem'), key.privateKey.export({ type: 'pkcs8', format: 'pem' }));
      writeFileSync(
        join(folder, 'certificate.pem'),
        encodePem('CERTIFICATE', userCertificate(key.spki, 'eother')),
      );
      // The verdict already says that it is not mallory's enclave.
      const refused = await mallory.run('connect', ENCLAVE);
      expect(refused).toMatchObject({ exit: 1, out: '' });
      expect(refused.err).toContain('(owner-refused)');
      // And the enclave does not let alice in with a certificate for another one.
      const own = join(alice.home, '.local/state/enclavectl/enclaves', ENCLAVE);
      const kept = readFileSync(join(own, 'certificate.pem'));
      const spki = execFileSync('openssl', [
        'pkey',
        '-in',
        join(own, 'key.pem'),
        '-pubout',
        '-outform',
        'DER',
      ]);
      writeFileSync(
        join(own, 'certificate.pem'),
        encodePem('CERTIFICATE', userCertificate(new Uint8Array(spki), 'eother')),
      );
      const foreign = await alice.run('connect', ENCLAVE);
      writeFileSync(join(own, 'certificate.pem'), kept);
      expect(foreign).toMatchObject({ exit: 4, out: '' });
      expect(foreign.err).toContain('(enclave-mismatch)\n  do as it says');
    } finally {
      mallory.remove();
    }
  });

  test('access that ends while connected: the command says why, and ends with it', async () => {
    const connected = alice.start('connect', ENCLAVE, '--listen', '0');
    await expect.poll(() => connected.out()).toContain('forwarding');
    const port = Number(/127\.0\.0\.1:(\d+)/.exec(connected.out())?.[1]);
    const socket = connectTcp(port, '127.0.0.1');
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.write('mine');
    await new Promise((resolve) => socket.once('data', resolve));
    try {
      // For now: told, and the port stays.
      front.enclave().refuse('trust-document-stale');
      await closed;
      await expect.poll(() => connected.err()).toContain('(trust-document-stale)');
      front.enclave().refuse(undefined);
      expect(await echo(port, 'again')).toBe('again');
      front.enclave().refuse('grant-revoked');
      await echo(port, 'no').catch(() => '');
      const ended = await connected.ended;
      expect(ended.exit).toBe(4);
      expect(ended.err).toContain('(grant-revoked)\n  do as it says');

      // A pipe too, in the middle of it.
      front.enclave().refuse(undefined);
      const pipe = alice.start('connect', ENCLAVE);
      pipe.stdin.write('piped');
      await expect.poll(() => pipe.out()).toBe('piped');
      front.enclave().refuse('user-revoked');
      const over = await pipe.ended;
      expect(over).toMatchObject({ exit: 4, err: expect.stringContaining('(user-revoked)') });
      const again = await alice.run('connect', ENCLAVE, '--json');
      expect(again.exit).toBe(4);
      expect(JSON.parse(again.out)).toMatchObject({
        ok: false,
        code: 'user-revoked',
        remedy: 'do as it says',
      });
    } finally {
      front.enclave().refuse(undefined);
    }
  });

  test('a stranger who answers in the enclave’s place gets no byte', async () => {
    const connected = alice.start('connect', ENCLAVE, '--listen', '0');
    await expect.poll(() => connected.out()).toContain('forwarding');
    const port = Number(/127\.0\.0\.1:(\d+)/.exec(connected.out())?.[1]);
    expect(await echo(port, 'mine')).toBe('mine');
    const before = front.enclave().received.length;
    front.enclave().impersonate();
    expect(await echo(port, 'secret').catch(() => '')).toBe('');
    expect(front.enclave().received.slice(before)).toEqual([]);
    connected.interrupt();
    expect((await connected.ended).err).toContain('(live-certificate-differs)');
    const again = await alice.run('connect', ENCLAVE, '--json');
    expect(again.exit).toBe(1);
    expect(JSON.parse(again.out)).toMatchObject({ ok: false, code: 'live-certificate-differs' });
  });
});

function echo(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connectTcp(port, '127.0.0.1', () => socket.end(text));
    let answer = '';
    socket.on('data', (chunk) => {
      answer += chunk.toString();
    });
    socket.on('close', () => resolve(answer));
    socket.on('error', reject);
  });
}
