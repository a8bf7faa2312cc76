import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { openSqliteStore } from '../../licensing/store/sqlite-store.ts';
import { storeContract } from '../contract/store.ts';

storeContract('SQLite', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'store-'));
  return {
    open: async () => openSqliteStore(join(folder, 'front.db')),
    remove: async () => rmSync(folder, { recursive: true }),
  };
});

test('the file is for its owner only, for one process, and never opened by an older version', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'store-'));
  const file = join(folder, 'front.db');
  const store = openSqliteStore(file);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(statSync(`${file}-wal`).mode & 0o777).toBe(0o600);
  expect(() => openSqliteStore(file)).toThrow(/in use by another front/);
  await store.close();
  const database = new Database(file);
  database.pragma('user_version = 99');
  database.close();
  expect(() => openSqliteStore(file)).toThrow(/newer version/);
  rmSync(folder, { recursive: true });
});
