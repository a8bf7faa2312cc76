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
import { migratePostgres } from './migrate-postgres.ts';
import { PostgresDatabase, type PostgresOptions, type Query } from './postgres-database.ts';
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
 * The store in a PostgreSQL database, for any number of fronts. Leases are judged by the database's clock.
 * @throws StoreAway; another error when a newer version wrote the database
 */
export async function openPostgresStore(options: PostgresOptions): Promise<Store> {
  const database = new PostgresDatabase(options);
  try {
    await migratePostgres(database);
    return new PostgresStore(database);
  } catch (error) {
    await database.close();
    throw error;
  }
}

const NO_LIVING_DRIVER =
  'NOT EXISTS (SELECT FROM fronts WHERE fronts.name = enclaves.driver AND fronts.alive_until > clock_timestamp())';

/** PostgreSQL's texts hold every character but this one. */
const textOf = (text: string): string => text.replaceAll('\0', '\ufffd');

class PostgresStore implements Store {
  readonly #database: PostgresDatabase;
  readonly #query: Query;

  constructor(database: PostgresDatabase) {
    this.#database = database;
    this.#query = database.query;
  }

  async createUser(user: UserRecord, seats: number, now: number): Promise<Result<undefined, StoreCode>> {
    const { count } = await this.#query(
      `WITH made AS (INSERT INTO users (name, password_key, created_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING name)
       INSERT INTO licences ("user", seats) SELECT name, $4 FROM made`,
      [user.name, user.passwordKey, now, seats],
    );
    return count === 0 ? storeRefusals.userExists(user.name) : success(undefined);
  }

  async findUser(name: string): Promise<UserRecord | undefined> {
    const { rows } = await this.#query<{ name: string; password_key: Uint8Array }>(
      'SELECT name, password_key FROM users WHERE name = $1',
      [textOf(name)],
    );
    const [row] = rows;
    return row && { name: row.name, passwordKey: new Uint8Array(row.password_key) };
  }

  async takeSeat(
    enclave: NewEnclave,
    front: string,
    now: number,
  ): Promise<Result<{ readonly record: EnclaveRecord; readonly created: boolean }, StoreCode>> {
    return this.#database.transaction(async (query) => {
      // Whoever takes a seat of this licence waits here for whoever takes one now, and counts after them.
      const licence = await query<{ seats: number }>(
        'SELECT seats FROM licences WHERE "user" = $1 FOR UPDATE',
        [enclave.user],
      );
      const there = await query<EnclaveRow>('SELECT * FROM enclaves WHERE "user" = $1 AND launch_id = $2', [
        enclave.user,
        enclave.launchId,
      ]);
      if (there.rows[0] !== undefined) return joinedLaunch(recordOfRow(there.rows[0]), enclave);
      const seats = licence.rows[0]?.seats;
      if (seats === undefined) return storeRefusals.unknownUser(enclave.user);
      const taken = await query<{ n: number }>(
        'SELECT count(*) AS n FROM enclaves WHERE "user" = $1 AND state = ANY ($2)',
        [enclave.user, SEATED_STATES],
      );
      if ((taken.rows[0]?.n ?? 0) >= seats) return storeRefusals.noSeat(seats);
      const made = await query<EnclaveRow>(
        `INSERT INTO enclaves (id, "user", launch_id, profile, owner_key_sha256, nonce, certificate_request, state, phase,
           message, reason, reason_code, namespace, endpoint, server_name, profile_spec, attended_at, delivered, driver, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, 'launching', 1, '', '', '', '', '', '', '', $8, false, $9, $8, $8) RETURNING *`,
        [
          enclave.id,
          enclave.user,
          enclave.launchId,
          enclave.profile,
          enclave.ownerKeySha256,
          enclave.nonce,
          enclave.certificateRequest,
          now,
          front,
        ],
      );
      const [row] = made.rows;
      if (row === undefined) throw new Error(`enclave ${enclave.id} vanished while it was written`);
      return success({ record: recordOfRow(row), created: true });
    });
  }

  async findEnclave(id: string): Promise<EnclaveRecord | undefined> {
    const [record] = await this.#enclaves('WHERE id = $1', [id]);
    return record;
  }

  async listEnclaves(user: string, page: Page): Promise<readonly EnclaveRecord[]> {
    const after = page.after ?? { createdAt: Number.MAX_SAFE_INTEGER, id: '' };
    return this.#enclaves(
      `WHERE "user" = $1 AND (created_at < $2 OR (created_at = $2 AND id > $3))
       ORDER BY created_at DESC, id LIMIT $4`,
      [user, after.createdAt, after.id, page.limit],
    );
  }

  async enclavesIn(states: readonly EnclaveState[]): Promise<readonly EnclaveRecord[]> {
    return this.#enclaves('WHERE state = ANY ($1) ORDER BY created_at, id', [states]);
  }

  async updateEnclave(
    id: string,
    from: readonly EnclaveState[],
    change: Partial<EnclaveProgress>,
    now: number,
  ): Promise<EnclaveRecord | undefined> {
    const columns = ['updated_at = $3'];
    const values: unknown[] = [id, from, now];
    if (isAtRest(change.state)) columns.push("driver = ''");
    for (const [field, column] of Object.entries(PROGRESS_COLUMNS)) {
      const value = change[field as keyof EnclaveProgress];
      if (value === undefined) continue;
      values.push(typeof value === 'string' ? textOf(value) : value);
      columns.push(`${column} = $${values.length}`);
    }
    const { rows } = await this.#query<EnclaveRow>(
      `UPDATE enclaves SET ${columns.join(', ')} WHERE id = $1 AND state = ANY ($2) RETURNING *`,
      values,
    );
    return rows[0] && recordOfRow(rows[0]);
  }

  async forgetFinished(before: number): Promise<number> {
    const { count } = await this.#query(
      "DELETE FROM enclaves WHERE state IN ('stopped', 'failed') AND updated_at < $1",
      [before],
    );
    return count;
  }

  async seatsTaken(): Promise<number> {
    const { rows } = await this.#query<{ n: number }>(
      'SELECT count(*) AS n FROM enclaves WHERE state = ANY ($1)',
      [SEATED_STATES],
    );
    return rows[0]?.n ?? 0;
  }

  async renewFront(front: string, leaseMs: number): Promise<LivingFronts> {
    await this.#query(
      `WITH gone AS (DELETE FROM fronts WHERE name <> $1 AND alive_until < clock_timestamp() - interval '1 day')
       INSERT INTO fronts (name, joined_at, alive_until)
       VALUES ($1, clock_timestamp(), clock_timestamp() + $2 * interval '1 millisecond')
       ON CONFLICT (name) DO UPDATE SET alive_until = excluded.alive_until,
         joined_at = CASE WHEN fronts.alive_until > clock_timestamp() THEN fronts.joined_at ELSE excluded.joined_at END`,
      [front, leaseMs],
    );
    const { rows } = await this.#query<{ name: string }>(
      'SELECT name FROM fronts WHERE alive_until > clock_timestamp() OR name = $1 ORDER BY joined_at, name',
      [front],
    );
    return { count: rows.length, eldest: rows[0]?.name === front };
  }

  async leaveFront(front: string): Promise<void> {
    await this.#query('DELETE FROM fronts WHERE name = $1', [front]);
  }

  async claimEnclave(id: string, front: string): Promise<ClaimedEnclave | undefined> {
    await this.#query(
      `UPDATE enclaves SET driver = $2 WHERE id = $1 AND driver <> $2 AND state = ANY ($3) AND ${NO_LIVING_DRIVER}`,
      [id, front, UNFINISHED_STATES],
    );
    const record = await this.findEnclave(id);
    return record && { record, ours: record.driver === front };
  }

  async claimable(front: string): Promise<readonly EnclaveRecord[]> {
    return this.#enclaves(
      `WHERE state = ANY ($1) AND (driver = $2 OR ${NO_LIVING_DRIVER}) ORDER BY created_at, id`,
      [UNFINISHED_STATES, front],
    );
  }

  async tokenKeys(now: number): Promise<readonly TokenKeyRecord[]> {
    const { rows } = await this.#query<TokenKeyRow>(
      'SELECT * FROM token_keys WHERE expires_at > $1 ORDER BY created_at, key_id',
      [now],
    );
    return rows.map(tokenKeyOfRow);
  }

  async addTokenKey(key: TokenKeyRecord): Promise<void> {
    await this.#query(
      `WITH gone AS (DELETE FROM token_keys WHERE expires_at <= $3)
       INSERT INTO token_keys (key_id, public_key, created_at, expires_at) VALUES ($1, $2, $3, $4)`,
      [key.keyId, key.publicKey, key.createdAt, key.expiresAt],
    );
  }

  async close(): Promise<void> {
    await this.#database.close();
  }

  async #enclaves(condition: string, values: readonly unknown[]): Promise<readonly EnclaveRecord[]> {
    const { rows } = await this.#query<EnclaveRow>(`SELECT * FROM enclaves ${condition}`, values);
    return rows.map(recordOfRow);
  }
}
