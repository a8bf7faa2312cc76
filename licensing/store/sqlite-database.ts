import { closeSync, openSync } from 'node:fs';
import Database from 'better-sqlite3';
import { SQLITE_MIGRATIONS } from './sqlite-migrations.ts';

/**
 * One SQLite file (mode 0600): write-ahead log, `synchronous=FULL` so that a seat survives a power loss, and an exclusive lock. Throws
 * when the file cannot be opened, is in use, or was written by a newer version.
 */
export function openSqliteDatabase(file: string): Database.Database {
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
    if (version > SQLITE_MIGRATIONS.length)
      throw new Error(
        `${file} was written by a newer version (schema ${version}, this knows ${SQLITE_MIGRATIONS.length})`,
      );
    for (const step of SQLITE_MIGRATIONS.slice(version)) database.exec(step);
    database.pragma(`user_version = ${SQLITE_MIGRATIONS.length}`);
  });
  run.exclusive();
}
