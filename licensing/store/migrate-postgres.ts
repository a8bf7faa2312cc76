import type { PostgresDatabase } from './postgres-database.ts';
import { POSTGRES_MIGRATIONS } from './postgres-migrations.ts';

/** Any number that nobody else in this database uses: fronts that start together take turns by it. */
const MIGRATION_LOCK = 7_310_442_961_204_113n;

/** Takes the schema to this version, once, however many fronts begin together. Throws when a newer version wrote it. */
export async function migratePostgres(database: PostgresDatabase): Promise<void> {
  await database.transaction(async (query) => {
    await query('SELECT pg_advisory_xact_lock($1)', [MIGRATION_LOCK.toString()]);
    await query('CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL)');
    const { rows } = await query<{ version: number }>('SELECT version FROM schema_version');
    const version = rows[0]?.version ?? 0;
    if (version > POSTGRES_MIGRATIONS.length)
      throw new Error(
        `the database was written by a newer version (schema ${version}, this knows ${POSTGRES_MIGRATIONS.length})`,
      );
    if (version === POSTGRES_MIGRATIONS.length) return;
    for (const step of POSTGRES_MIGRATIONS.slice(version)) await query(step);
    await query('DELETE FROM schema_version');
    await query('INSERT INTO schema_version (version) VALUES ($1)', [POSTGRES_MIGRATIONS.length]);
  });
}
