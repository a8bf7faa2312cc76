import { existsSync } from 'node:fs';
import { ConfigError } from '../../platform/config/config-error.ts';
import type { PostgresDatabase, Query } from './postgres-database.ts';
import { openSqliteDatabase } from './sqlite-database.ts';

/** What is copied, in an order that keeps references. Who lives is not: the front of before is dead. */
const TABLES = {
  users: ['name', 'password_key', 'created_at'],
  licences: ['user', 'seats'],
  enclaves: [
    ...[
      'id',
      'user',
      'launch_id',
      'profile',
      'owner_key_sha256',
      'nonce',
      'certificate_request',
      'state',
      'phase',
    ],
    ...[
      'message',
      'reason',
      'reason_code',
      'namespace',
      'endpoint',
      'server_name',
      'profile_spec',
      'attended_at',
    ],
    ...['delivered', 'driver', 'created_at', 'updated_at'],
  ],
  token_keys: ['key_id', 'public_key', 'created_at', 'expires_at'],
} as const;
type Table = keyof typeof TABLES;
/** Rows of one statement. */
const AT_ONCE = 200;

type Row = Readonly<Record<string, string | number | Uint8Array>>;

/**
 * Copies all that a front knew in a SQLite file into an empty PostgreSQL database, all of it or nothing. The file is locked meanwhile: no front uses it.
 * @returns how many rows of each table; undefined when it was copied before
 * @throws ConfigError when there is no file, or the database has users of its own; StoreAway
 */
export async function importSqlite(
  database: PostgresDatabase,
  file: string,
): Promise<Readonly<Record<Table, number>> | undefined> {
  if (!existsSync(file)) throw new ConfigError(`--import-database ${file}: there is no such file`);
  const sqlite = openSqliteDatabase(file);
  const rowsOf = (table: Table): IterableIterator<Row> =>
    sqlite.prepare<[], Row>(`SELECT ${TABLES[table].join(', ')} FROM ${table}`).iterate();
  try {
    return await database.transaction(async (query) => {
      await query(`LOCK TABLE ${Object.keys(TABLES).join(', ')} IN SHARE ROW EXCLUSIVE MODE`);
      const { rows: there } = await query<{ name: string }>('SELECT name FROM users');
      if (there.length > 0) {
        const names = new Set(there.map(({ name }) => name));
        for (const { name } of rowsOf('users'))
          if (!names.has(String(name)))
            throw new ConfigError(
              `--import-database ${file}: the database has users of its own; give an empty one, or take the flag away`,
            );
        return undefined;
      }
      const counts = { users: 0, licences: 0, enclaves: 0, token_keys: 0 };
      for (const table of ['users', 'licences', 'enclaves', 'token_keys'] as const)
        counts[table] = await copy(query, table, rowsOf(table));
      return counts;
    });
  } finally {
    sqlite.close();
  }
}

async function copy(query: Query, table: Table, rows: Iterable<Row>): Promise<number> {
  const columns = TABLES[table];
  const names = columns.map((column) => `"${column}"`).join(', ');
  let count = 0;
  let waiting: Row[] = [];
  const write = async (): Promise<void> => {
    if (waiting.length === 0) return;
    const marks = waiting.map(
      (_, row) => `(${columns.map((_, i) => `$${row * columns.length + i + 1}`).join(', ')})`,
    );
    const values = waiting.flatMap((row) => columns.map((column) => columnValue(column, row[column])));
    await query(`INSERT INTO ${table} (${names}) VALUES ${marks.join(', ')}`, values);
    count += waiting.length;
    waiting = [];
  };
  for (const row of rows) {
    waiting.push(row);
    if (waiting.length === AT_ONCE) await write();
  }
  await write();
  return count;
}

function columnValue(column: string, value: string | number | Uint8Array | undefined): unknown {
  if (column === 'delivered') return value === 1;
  if (column === 'driver') return '';
  // PostgreSQL's texts hold every character but this one.
  return typeof value === 'string' ? value.replaceAll('\0', '\ufffd') : value;
}
