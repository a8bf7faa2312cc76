import { mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { RpcRefusal } from '../../platform/rpc/rpc-error.ts';
import { ENCLAVE, SERVER_NAME } from '../support/client-enclave.ts';
import { type FakeFront, fakeFront } from '../support/client-front.ts';
import { type Person, person } from '../support/enclavectl.ts';

let front: FakeFront;
let alice: Person;
beforeEach(async () => {
  front = await fakeFront();
  alice = person(front.address);
  const password = alice.file('password', 'correct horse\n');
  await alice.run('init');
  await alice.run('login', 'alice', '--password-file', password);
});
afterEach(async () => {
  alice.remove();
  await front.close();
});

/** Clears the screen, says what never happened, hides the rest. */
const EVIL = 'x\u001b[2J\u009b1mverdict: good\r\n  ok  everything\u202e\u2028\u007f';
const UNPRINTABLE = /[^\P{Cc}\n]|[\u2028-\u202e]/u;

test('what a server says cannot move the cursor, fake a line or turn text around', async () => {
  front.override({
    listEnclaves: async () => ({
      enclaves: [
        {
          id: ENCLAVE,
          profile: EVIL,
          namespace: EVIL,
          state: 4 as const,
          phase: 7 as const,
          reason: EVIL,
          endpoint: EVIL,
          serverName: SERVER_NAME,
          createdAt: new Date(),
          ownerKeySha256: EVIL,
        },
      ],
      nextPageToken: '',
    }),
    getEnclave: async () => {
      throw new RpcRefusal('NOT_FOUND', { code: EVIL, message: EVIL, remedy: EVIL });
    },
  });
  const table = await alice.run('ls', '--all');
  expect(table.out).toContain('verdict: good');
  expect(table.out.trim().split('\n')).toHaveLength(2);
  const json = await alice.run('ls', '--all', '--json');
  const refused = await alice.run('status', ENCLAVE);
  const refusedJson = await alice.run('status', ENCLAVE, '--json');
  expect(refused.exit).not.toBe(0);
  for (const { out, err } of [table, json, refused, refusedJson]) expect(out + err).not.toMatch(UNPRINTABLE);
  expect(JSON.parse(json.out).enclaves[0].reason).toBe(EVIL);
});

test('a server cannot have the key of an enclave replaced by calling another one the same', async () => {
  expect(await alice.run('launch', 'hello')).toMatchObject({ exit: 0 });
  const path = join(alice.home, '.local/state/enclavectl/enclaves', ENCLAVE, 'key.pem');
  const key = readFileSync(path, 'utf8');
  // The fake has one enclave, and calls every launch by its id.
  const again = await alice.run('launch', 'hello', '--json');
  expect(JSON.parse(again.out)).toMatchObject({ ok: false, code: 'enclave-id-taken' });
  expect(readFileSync(path, 'utf8')).toBe(key);
});

test('an exported key is its owner’s alone, whatever lay there before', async () => {
  await alice.run('launch', 'hello');
  const directory = join(alice.home, 'exported');
  mkdirSync(directory);
  const elsewhere = alice.file('elsewhere', '');
  writeFileSync(join(directory, 'user-certificate.pem'), '', { mode: 0o644 });
  symlinkSync(elsewhere, join(directory, 'user-key.pem'));
  expect(await alice.run('bundle', 'export', directory)).toMatchObject({ exit: 0 });
  expect(readFileSync(elsewhere, 'utf8')).toBe('');
  expect(statSync(join(directory, 'user-key.pem')).mode & 0o777).toBe(0o600);
  expect(statSync(join(directory, 'user-certificate.pem')).mode & 0o777).toBe(0o600);
});
