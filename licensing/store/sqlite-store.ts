import { closeSync, openSync } from 'node:fs';
import Database from 'better-sqlite3';
import { type Result, refuse, success } from '../../formats/bytes/result.ts';
import {
  type EnclaveProgress,
  type EnclaveRecord,
  type EnclaveState,
  type NewEnclave,
  SEATED_STATES,
} from './enclave-record.ts';
import { type EnclaveRow, PROGRESS_COLUMNS, recordOfRow } from './enclave-row.ts';
import { MIGRATIONS } from './migrations.ts';
import type { Page, Store, StoreCode, TokenKeyRecord, UserRecord } from './store.ts';

/**
 * The store in one SQLite file (mode 0600), for one front: write-ahead log, `synchronous=FULL` so that a seat survives a power
 * loss, and an exclusive lock so that a second front on the same file is refused instead of driving the same launches. Throws
 * when the file cannot be opened, is in use, or was written by a newer version.
 */
export function openSqliteStore(file: string): Store {
  return new SqliteStore(openDatabase(file));
}

function openDatabase(file: string): Database.Database {
  // Created before SQLite opens it, so that it and its log are never readable for others, not even for a moment.
  closeSync(openSync(file, 'a', 0o600));
  const database = new Database(file, { timeout: 1000 });
  try {
    database.pragma('locking_mode = EXCLUSIVE');
    database.pragma('journal_mode = WAL');
    database.pragma('synchronous = FULL');
    database.pragma('foreign_keys = ON');
    migrate(database, file);
    return database;
  } catch (error) {
    database.close();
    if (error instanceof Database.SqliteError && error.code.startsWith('SQLITE_BUSY'))
      throw new Error(`${file} is in use by another front: one file serves one process`);
    throw error;
  }
}

function migrate(database: Database.Database, file: string): void {
  const run = database.transaction(() => {
    const version = Number(database.pragma('user_version', { simple: true }));
    if (version > MIGRATIONS.length)
      throw new Error(
        `${file} was written by a newer version (schema ${version}, this knows ${MIGRATIONS.length})`,
      );
    for (const step of MIGRATIONS.slice(version)) database.exec(step);
    database.pragma(`user_version = ${MIGRATIONS.length}`);
  });
  run.exclusive();
}

const marks = (values: readonly unknown[]): string => values.map(() => '?').join(', ');
const bytes = (value: Uint8Array): Buffer => Buffer.from(value.buffer, value.byteOffset, value.byteLength);

class SqliteStore implements Store {
  readonly #database: Database.Database;

  constructor(database: Database.Database) {
    this.#database = database;
  }

  async createUser(user: UserRecord, seats: number, now: number): Promise<Result<undefined, StoreCode>> {
    return this.#write(() => {
      const made = this.#database
        .prepare('INSERT INTO users (name, password_key, created_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING')
        .run(user.name, bytes(user.passwordKey), now);
      if (made.changes === 0)
        return refuse('user-exists', `user "${user.name}" exists`, 'choose another name, or log in');
      this.#database.prepare('INSERT INTO licences (user, seats) VALUES (?, ?)').run(user.name, seats);
      return success(undefined);
    });
  }

  async findUser(name: string): Promise<UserRecord | undefined> {
    const row = this.#database
      .prepare<[string], { name: string; password_key: Uint8Array }>(
        'SELECT name, password_key FROM users WHERE name = ?',
      )
      .get(name);
    return row && { name: row.name, passwordKey: new Uint8Array(row.password_key) };
  }

  async takeSeat(
    enclave: NewEnclave,
    now: number,
  ): Promise<Result<{ readonly record: EnclaveRecord; readonly created: boolean }, StoreCode>> {
    return this.#write(() => {
      const there = this.#database
        .prepare<[string, Buffer], EnclaveRow>('SELECT * FROM enclaves WHERE user = ? AND launch_id = ?')
        .get(enclave.user, bytes(enclave.launchId));
      if (there !== undefined) {
        if (there.profile !== enclave.profile || there.owner_key_sha256 !== enclave.ownerKeySha256)
          return refuse(
            'launch-id-reused',
            `this launch id belongs to enclave ${there.id} of profile "${there.profile}" and another key or profile was given`,
            'use a new launch id for a new launch',
          );
        return success({ record: recordOfRow(there), created: false });
      }
      const licence = this.#database
        .prepare<[string], { seats: number }>('SELECT seats FROM licences WHERE user = ?')
        .get(enclave.user);
      if (licence === undefined)
        return refuse('unknown-user', `there is no user "${enclave.user}"`, 'sign up first');
      const taken = this.#count('WHERE user = ? AND state IN', [enclave.user]);
      if (taken >= licence.seats)
        return refuse(
          'no-seat',
          `all ${licence.seats} seats of the licence are taken`,
          'stop an enclave, or ask the operator for more seats',
        );
      return success({ record: this.#insert(enclave, now), created: true });
    });
  }

  #insert(enclave: NewEnclave, now: number): EnclaveRecord {
    this.#database
      .prepare(
        `INSERT INTO enclaves (id, user, launch_id, profile, owner_key_sha256, nonce, certificate_request, state, phase, reason,
           reason_code, namespace, endpoint, server_name, profile_spec, attended_at, delivered, created_at, updated_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, 'launching', 1, '', '', '', '', '', '', ?, 0, ?, ?)`,
      )
      .run(
        enclave.id,
        enclave.user,
        bytes(enclave.launchId),
        enclave.profile,
        enclave.ownerKeySha256,
        bytes(enclave.nonce),
        bytes(enclave.certificateRequest),
        now,
        now,
        now,
      );
    const record = this.#find(enclave.id);
    if (record === undefined) throw new Error(`enclave ${enclave.id} vanished while it was written`);
    return record;
  }

  async findEnclave(id: string): Promise<EnclaveRecord | undefined> {
    return this.#find(id);
  }

  async listEnclaves(user: string, page: Page): Promise<readonly EnclaveRecord[]> {
    const after = page.after ?? { createdAt: Number.MAX_SAFE_INTEGER, id: '' };
    return this.#database
      .prepare<[string, number, number, string, number], EnclaveRow>(
        `SELECT * FROM enclaves WHERE user = ? AND (created_at < ? OR (created_at = ? AND id > ?))
         ORDER BY created_at DESC, id LIMIT ?`,
      )
      .all(user, after.createdAt, after.createdAt, after.id, page.limit)
      .map(recordOfRow);
  }

  async enclavesIn(states: readonly EnclaveState[]): Promise<readonly EnclaveRecord[]> {
    return this.#database
      .prepare<string[], EnclaveRow>(
        `SELECT * FROM enclaves WHERE state IN (${marks(states)}) ORDER BY created_at, id`,
      )
      .all(...states)
      .map(recordOfRow);
  }

  async updateEnclave(
    id: string,
    from: readonly EnclaveState[],
    change: Partial<EnclaveProgress>,
    now: number,
  ): Promise<EnclaveRecord | undefined> {
    return this.#write(() => {
      const columns: string[] = ['updated_at = ?'];
      const values: (string | number)[] = [now];
      for (const [field, column] of Object.entries(PROGRESS_COLUMNS)) {
        const value = change[field as keyof EnclaveProgress];
        if (value === undefined) continue;
        columns.push(`${column} = ?`);
        values.push(typeof value === 'boolean' ? Number(value) : value);
      }
      const changed = this.#database
        .prepare(`UPDATE enclaves SET ${columns.join(', ')} WHERE id = ? AND state IN (${marks(from)})`)
        .run(...values, id, ...from);
      return changed.changes === 0 ? undefined : this.#find(id);
    });
  }

  async forgetFinished(before: number): Promise<number> {
    return this.#database
      .prepare("DELETE FROM enclaves WHERE state IN ('stopped', 'failed') AND updated_at < ?")
      .run(before).changes;
  }

  async seatsTaken(): Promise<number> {
    return this.#count('WHERE state IN', []);
  }

  async tokenKeys(): Promise<readonly TokenKeyRecord[]> {
    return this.#database
      .prepare<[], { key_id: string; private_key: Uint8Array; created_at: number }>(
        'SELECT key_id, private_key, created_at FROM token_keys ORDER BY created_at, key_id',
      )
      .all()
      .map((row) => ({
        keyId: row.key_id,
        privateKey: new Uint8Array(row.private_key),
        createdAt: row.created_at,
      }));
  }

  async addTokenKey(key: TokenKeyRecord): Promise<void> {
    this.#database
      .prepare('INSERT INTO token_keys (key_id, private_key, created_at) VALUES (?, ?, ?)')
      .run(key.keyId, bytes(key.privateKey), key.createdAt);
  }

  async close(): Promise<void> {
    this.#database.close();
  }

  #find(id: string): EnclaveRecord | undefined {
    const row = this.#database.prepare<[string], EnclaveRow>('SELECT * FROM enclaves WHERE id = ?').get(id);
    return row && recordOfRow(row);
  }

  #count(condition: string, values: readonly string[]): number {
    const row = this.#database
      .prepare<string[], { n: number }>(
        `SELECT count(*) AS n FROM enclaves ${condition} (${marks(SEATED_STATES)})`,
      )
      .get(...values, ...SEATED_STATES);
    return row?.n ?? 0;
  }

  /** The write lock is taken at the beginning, so that what was read is still true when it is written. */
  #write<T>(body: () => T): T {
    return this.#database.transaction(body).immediate();
  }
}
