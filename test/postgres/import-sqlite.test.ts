import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { DatabaseUrl } from '../../licensing/store/database-url.ts';
import { openStore } from '../../licensing/store/open-store.ts';
import { openSqliteStore } from '../../licensing/store/sqlite-store.ts';
import type { Store } from '../../licensing/store/store.ts';
import { createHealth } from '../../platform/health/health.ts';
import { silentLogger } from '../../platform/log/logger.ts';
import { PostgresServer } from '../support/postgres.ts';

let server: PostgresServer;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'import-'));
  server = await PostgresServer.start();
});
afterAll(() => {
  server?.remove();
  rmSync(folder, { recursive: true });
});

const bytes = (seed: number, length = 16): Uint8Array => new Uint8Array(length).fill(seed);
const wish = (user: string, seed: number) => ({
  id: `e${seed}`,
  user,
  launchId: bytes(seed),
  profile: 'small',
  ownerKeySha256: 'ab'.repeat(32),
  nonce: bytes(seed, 32),
  certificateRequest: bytes(seed, 300),
});
const KEY = { keyId: 'k1', publicKey: bytes(7, 91), createdAt: 5, expiresAt: 1_000_000 };

/** A front's file after some life: users, a launch of each kind, a key; `more` users and ended enclaves besides. */
async function oldFile(name: string, more = 0): Promise<string> {
  const file = join(folder, name);
  const store = openSqliteStore(file);
  for (const user of ['ada', 'bob']) await store.createUser({ name: user, passwordKey: bytes(96, 96) }, 2, 1);
  await store.renewFront('old', 60_000);
  await store.takeSeat(wish('ada', 1), 'old', 10);
  await store.takeSeat(wish('ada', 2), 'old', 20);
  const ready = {
    state: 'ready',
    phase: 7,
    endpoint: '10.0.0.1:8443',
    message: 'a\0b',
    delivered: true,
  } as const;
  await store.updateEnclave('e2', ['launching'], ready, 30);
  await store.addTokenKey(KEY);
  for (let i = 0; i < more; i += 1) {
    await store.createUser({ name: `user${i}`, passwordKey: bytes(1, 96) }, 1, 1);
    await store.takeSeat({ ...wish(`user${i}`, 1), id: `f${i}` }, 'old', 40);
  }
  await store.close();
  return file;
}

/** As front opens it. */
function open(url: DatabaseUrl, importDatabase?: string): Promise<Store> {
  const urlFile = join(folder, `${url.database}.url`);
  const { user, password, host, port, database } = url;
  const authority = `${user}:${encodeURIComponent(password)}@${host}:${port}`;
  writeFileSync(urlFile, `postgres://${authority}/${database}?sslmode=disable`, { mode: 0o600 });
  const options = {
    database: undefined,
    databaseUrlFile: urlFile,
    databaseCaFile: undefined,
    importDatabase,
    databaseConnections: 4,
    bind: '127.0.0.1',
  };
  return openStore(options, silentLogger, new AbortController().signal, createHealth().check('store'));
}

test('a front that moves from SQLite to PostgreSQL knows users, seats, enclaves and keys, and goes on with what it drove', async () => {
  const file = await oldFile('front.db', 450);
  const before = openSqliteStore(file);
  const was = await Promise.all(['e1', 'e2', 'f449'].map((id) => before.findEnclave(id)));
  await before.close();
  const url = server.createDatabase();
  const store = await open(url, file);
  expect(await store.findUser('bob')).toEqual({ name: 'bob', passwordKey: bytes(96, 96) });
  expect(await store.seatsTaken()).toBe(452);
  const [launching, ready, last] = was;
  expect(await store.findEnclave('e1')).toEqual({ ...launching, driver: '' });
  expect(await store.findEnclave('e2')).toEqual({ ...ready, message: 'a\ufffdb' });
  expect(await store.findEnclave('f449')).toEqual({ ...last, driver: '' });
  expect(await store.takeSeat(wish('ada', 3), 'new', 50)).toMatchObject({ ok: false, code: 'no-seat' });
  expect(await store.tokenKeys(10)).toEqual([KEY]);
  expect((await store.claimable('new')).map(({ id }) => id)).toContain('e1');
  // The flag stays for a while: what has changed since is not undone.
  await store.updateEnclave('e2', ['ready'], { state: 'stopped' }, 60);
  await store.createUser({ name: 'carol', passwordKey: bytes(3, 96) }, 1, 60);
  await store.close();
  const again = await open(url, file);
  expect(await again.findEnclave('e2')).toMatchObject({ state: 'stopped' });
  expect(await again.findUser('carol')).toBeDefined();
  await again.close();
});

test('what cannot be copied is said, and nothing of it is written', async () => {
  const file = await oldFile('other.db');
  const url = server.createDatabase();
  const own = await open(url);
  await own.createUser({ name: 'dora', passwordKey: bytes(4, 96) }, 1, 1);
  await own.close();
  await expect(open(url, file)).rejects.toThrow(/users of its own/);
  const store = await open(url);
  expect(await store.findUser('ada')).toBeUndefined();
  await store.close();
  await expect(open(server.createDatabase(), join(folder, 'missing.db'))).rejects.toThrow(/no such file/);
  const used = openSqliteStore(file);
  await expect(open(server.createDatabase(), file)).rejects.toThrow(/in use by another front/);
  await used.close();
});
