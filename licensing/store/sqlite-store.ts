import type Database from 'better-sqlite3';
import { type Result, success } from '../../formats/bytes/result.ts';
import {
  type EnclaveProgress,
  type EnclaveRecord,
  type EnclaveState,
  isAtRest,
  type NewEnclave,
  SEATED_STATES,
  UNFINISHED_STATES,
} from './enclave-record.ts';
import { type EnclaveRow, PROGRESS_COLUMNS, recordOfRow } from './enclave-row.ts';
import { joinedLaunch } from './joined-launch.ts';
import { openSqliteDatabase } from './sqlite-database.ts';
import type {
  ClaimedEnclave,
  LivingFronts,
  Page,
  Store,
  StoreCode,
  TokenKeyRecord,
  UserRecord,
} from './store.ts';
import { storeRefusals } from './store-refusals.ts';
import { type TokenKeyRow, tokenKeyOfRow } from './token-key-row.ts';

/**
 * The store in one SQLite file, for one front: a second one on the same file is refused instead of driving the same launches. So
 * the fronts of before are dead when it is opened. Throws when the file cannot be opened, is in use, or was written by a newer version.
 */
export function openSqliteStore(file: string): Store {
  const database = openSqliteDatabase(file);
  database.exec('DELETE FROM fronts');
  return new SqliteStore(database);
}

const marks = (values: readonly unknown[]): string => values.map(() => '?').join(', ');
const bytes = (value: Uint8Array): Buffer => Buffer.from(value.buffer, value.byteOffset, value.byteLength);

const NO_LIVING_DRIVER =
  'NOT EXISTS (SELECT 1 FROM fronts WHERE fronts.name = enclaves.driver AND fronts.alive_until > ?)';

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
      if (made.changes === 0) return storeRefusals.userExists(user.name);
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
    front: string,
    now: number,
  ): Promise<Result<{ readonly record: EnclaveRecord; readonly created: boolean }, StoreCode>> {
    return this.#write(() => {
      const there = this.#database
        .prepare<[string, Buffer], EnclaveRow>('SELECT * FROM enclaves WHERE user = ? AND launch_id = ?')
        .get(enclave.user, bytes(enclave.launchId));
      if (there !== undefined) return joinedLaunch(recordOfRow(there), enclave);
      const licence = this.#database
        .prepare<[string], { seats: number }>('SELECT seats FROM licences WHERE user = ?')
        .get(enclave.user);
      if (licence === undefined) return storeRefusals.unknownUser(enclave.user);
      const taken = this.#count('WHERE user = ? AND state IN', [enclave.user]);
      if (taken >= licence.seats) return storeRefusals.noSeat(licence.seats);
      return success({ record: this.#insert(enclave, front, now), created: true });
    });
  }

  #insert(enclave: NewEnclave, front: string, now: number): EnclaveRecord {
    this.#database
      .prepare(
        `INSERT INTO enclaves (id, user, launch_id, profile, owner_key_sha256, nonce, certificate_request, state, phase,
           message, reason, reason_code, namespace, endpoint, server_name, profile_spec, attended_at, delivered, driver, created_at, updated_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, 'launching', 1, '', '', '', '', '', '', '', ?, 0, ?, ?, ?)`,
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
        front,
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
      if (isAtRest(change.state)) columns.push("driver = ''");
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

  async renewFront(front: string, leaseMs: number): Promise<LivingFronts> {
    return this.#write(() => {
      const now = Date.now();
      this.#database.prepare('DELETE FROM fronts WHERE alive_until <= ?').run(now);
      this.#database
        .prepare(
          `INSERT INTO fronts (name, joined_at, alive_until) VALUES (?, ?, ?)
           ON CONFLICT (name) DO UPDATE SET alive_until = excluded.alive_until`,
        )
        .run(front, now, now + leaseMs);
      const living = this.#database
        .prepare<[], { name: string }>('SELECT name FROM fronts ORDER BY joined_at, name')
        .all();
      return { count: living.length, eldest: living[0]?.name === front };
    });
  }

  async leaveFront(front: string): Promise<void> {
    this.#database.prepare('DELETE FROM fronts WHERE name = ?').run(front);
  }

  async claimEnclave(id: string, front: string): Promise<ClaimedEnclave | undefined> {
    return this.#write(() => {
      this.#database
        .prepare(
          `UPDATE enclaves SET driver = ? WHERE id = ? AND state IN (${marks(UNFINISHED_STATES)}) AND ${NO_LIVING_DRIVER}`,
        )
        .run(front, id, ...UNFINISHED_STATES, Date.now());
      const record = this.#find(id);
      return record && { record, ours: record.driver === front };
    });
  }

  async claimable(front: string): Promise<readonly EnclaveRecord[]> {
    return this.#database
      .prepare<(string | number)[], EnclaveRow>(
        `SELECT * FROM enclaves WHERE state IN (${marks(UNFINISHED_STATES)}) AND (driver = ? OR ${NO_LIVING_DRIVER})
         ORDER BY created_at, id`,
      )
      .all(...UNFINISHED_STATES, front, Date.now())
      .map(recordOfRow);
  }

  async tokenKeys(now: number): Promise<readonly TokenKeyRecord[]> {
    return this.#database
      .prepare<[number], TokenKeyRow>(
        'SELECT * FROM token_keys WHERE expires_at > ? ORDER BY created_at, key_id',
      )
      .all(now)
      .map(tokenKeyOfRow);
  }

  async addTokenKey(key: TokenKeyRecord): Promise<void> {
    this.#write(() => {
      this.#database.prepare('DELETE FROM token_keys WHERE expires_at <= ?').run(key.createdAt);
      this.#database
        .prepare('INSERT INTO token_keys (key_id, public_key, created_at, expires_at) VALUES (?, ?, ?, ?)')
        .run(key.keyId, bytes(key.publicKey), key.createdAt, key.expiresAt);
    });
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
