import { ConfigError } from '../../platform/config/config-error.ts';
import { readGivenFile } from '../../platform/files/read-given-file.ts';
import type { HealthCheck } from '../../platform/health/health.ts';
import type { Logger } from '../../platform/log/logger.ts';
import { createBackoff } from '../../platform/run/backoff.ts';
import { explain } from '../../platform/run/explain.ts';
import { type DatabaseUrl, parseDatabaseUrl } from './database-url.ts';
import type { PostgresOptions } from './postgres-database.ts';
import type { Store } from './store.ts';
import { StoreAway } from './store-away.ts';

/** As the options say it. */
export interface StoreOptions {
  /** A SQLite file: exactly one of this and `databaseUrlFile`. */
  readonly database: string | undefined;
  /** A file with the URL of a PostgreSQL database. */
  readonly databaseUrlFile: string | undefined;
  readonly databaseCaFile: string | undefined;
  /** A SQLite file whose content an empty PostgreSQL database gets. */
  readonly importDatabase: string | undefined;
  readonly databaseConnections: number;
  readonly bind: string;
}

/**
 * Opens the store that the options name. A PostgreSQL database that is away is waited for; the check says so meanwhile.
 * @throws ConfigError; the signal's reason
 */
export async function openStore(
  options: StoreOptions,
  log: Logger,
  signal: AbortSignal,
  check: HealthCheck,
): Promise<Store> {
  const { database, databaseUrlFile, importDatabase } = options;
  if ((database === undefined) === (databaseUrlFile === undefined))
    throw new ConfigError('give either --database (a SQLite file) or --database-url-file (PostgreSQL)');
  if (database !== undefined && importDatabase !== undefined)
    throw new ConfigError('--import-database goes with --database-url-file');
  if (database !== undefined) {
    const { openSqliteStore } = await import('./sqlite-store.ts');
    return openSqliteStore(database);
  }
  const file = databaseUrlFile ?? '';
  const url = readUrl(file);
  const ca = url.sslmode === 'disable' ? undefined : readCa(options.databaseCaFile);
  const { openPostgresStore } = await import('./postgres-store.ts');
  const backoff = createBackoff(200, 5000);
  for (;;) {
    signal.throwIfAborted();
    try {
      const postgres: PostgresOptions = {
        url,
        ca,
        password: async () => readUrl(file).password,
        connections: options.databaseConnections,
        localAddress: options.bind,
      };
      const store = await openPostgresStore(postgres);
      if (importDatabase !== undefined) await importOnce(postgres, importDatabase, store, log);
      return store;
    } catch (error) {
      if (!(error instanceof StoreAway)) throw error;
      check.fail(error.message);
      log.warn({ error: error.message }, 'the database cannot be used yet');
      await backoff.wait(signal);
    }
  }
}

/** Before anything is served: a front that knows no seats removes the enclaves that run. */
async function importOnce(options: PostgresOptions, file: string, store: Store, log: Logger): Promise<void> {
  const [{ PostgresDatabase }, { importSqlite }] = await Promise.all([
    import('./postgres-database.ts'),
    import('./import-sqlite.ts'),
  ]);
  const database = new PostgresDatabase({ ...options, connections: 2 });
  try {
    const copied = await importSqlite(database, file);
    log.info(
      copied === undefined ? { file } : { file, ...copied },
      copied === undefined ? 'the SQLite file was copied before' : 'the SQLite file was copied',
    );
  } catch (error) {
    await store.close();
    throw error;
  } finally {
    await database.close();
  }
}

/** Says what is wrong with the file, and nothing of what is in it. */
function readUrl(file: string): DatabaseUrl {
  const text = textOf('--database-url-file', file);
  const url = parseDatabaseUrl(text);
  if (!url.ok) throw new ConfigError(`--database-url-file ${file}: ${url.message}; ${url.remedy}`);
  return url.value;
}

function readCa(file: string | undefined): string {
  if (file === undefined)
    throw new ConfigError(
      '--database-ca-file is missing: the database is spoken to over TLS, unless its URL says sslmode=disable',
    );
  const pem = textOf('--database-ca-file', file);
  if (!pem.includes('-----BEGIN CERTIFICATE-----'))
    throw new ConfigError(`--database-ca-file ${file}: it holds no certificate in PEM`);
  return pem;
}

function textOf(flag: string, file: string): string {
  try {
    return readGivenFile(file).toString('utf8');
  } catch (error) {
    throw new ConfigError(`${flag} ${file}: ${explain(error)}`);
  }
}
