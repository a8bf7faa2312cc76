import { isIP, Socket } from 'node:net';
import { checkServerIdentity } from 'node:tls';
import { DatabaseError, Pool, type QueryResult, types } from 'pg';
import { explain } from '../../platform/run/explain.ts';
import type { DatabaseUrl } from './database-url.ts';
import { StoreAway } from './store-away.ts';

export interface PostgresOptions {
  readonly url: DatabaseUrl;
  /** Read for each new connection: a password that is changed needs no restart. */
  password(): Promise<string>;
  /** PEM; needed unless the URL says `sslmode=disable`. */
  readonly ca: string | undefined;
  /** At most so many connections. */
  readonly connections: number;
  /** The address to dial from. */
  readonly localAddress: string;
}

export interface Rows<R> {
  readonly rows: readonly R[];
  /** Rows written, for what writes. */
  readonly count: number;
}

/** @throws StoreAway */
export type Query = <R extends object>(text: string, values?: readonly unknown[]) => Promise<Rows<R>>;

interface Queryable {
  query(text: string, values: unknown[]): Promise<QueryResult<object>>;
}

const CONNECT_MS = 5000;
/** The server ends a statement that takes longer; the client gives up on a server that is silent. */
const STATEMENT_MS = 5000;
const SILENCE_MS = 8000;
const IDLE_MS = 60_000;
const TYPE_INT8 = 20;

/** Classes of SQLSTATE (PostgreSQL, appendix A) that are our own fault: data, constraint, syntax. Trying again does not help. */
const OUR_FAULT = /^(22|23|42)/;
const NO_PRIVILEGE = '42501';

/** A pool of connections to one PostgreSQL database. */
export class PostgresDatabase {
  readonly #pool: Pool;

  constructor({ url, password, ca, connections, localAddress }: PostgresOptions) {
    const { host, port, database, user, sslmode } = url;
    if (sslmode === 'verify-full' && ca === undefined) throw new Error('verify-full needs a CA');
    this.#pool = new Pool({
      ...{ host, port, database, user, password },
      ssl:
        sslmode === 'disable' || ca === undefined
          ? false
          : {
              ca,
              minVersion: 'TLSv1.2',
              checkServerIdentity: (_, certificate) => checkServerIdentity(host, certificate),
            },
      stream: () => socketFrom(localAddress),
      application_name: 'enclave-front',
      max: connections,
      connectionTimeoutMillis: CONNECT_MS,
      idleTimeoutMillis: IDLE_MS,
      statement_timeout: STATEMENT_MS,
      idle_in_transaction_session_timeout: STATEMENT_MS,
      query_timeout: SILENCE_MS,
      keepAlive: true,
      types: {
        getTypeParser: (id: number, format?: 'text' | 'binary') =>
          id === TYPE_INT8 ? Number : types.getTypeParser(id, format as 'text'),
      },
    });
    // A connection that breaks while nobody uses it: the pool forgets it, and the next call makes another.
    this.#pool.on('error', () => undefined);
  }

  readonly query: Query = queryOn({ query: (text, values) => this.#pool.query(text, values) });

  /** Everything that the body asks for is one transaction; what it throws undoes it. */
  async transaction<T>(body: (query: Query) => Promise<T>): Promise<T> {
    const client = await this.#pool.connect().catch((error: unknown) => {
      throw judged(error);
    });
    const query = queryOn(client);
    // A connection may break between two statements, when no query is there to say so; the next one does. Without a listener the process ends.
    const broken = (): void => undefined;
    client.on('error', broken);
    let done = false;
    try {
      // Whatever the server's default is: who has waited for a row has to see what was written meanwhile.
      await query('BEGIN ISOLATION LEVEL READ COMMITTED');
      const result = await body(query);
      await query('COMMIT');
      done = true;
      return result;
    } finally {
      // A connection whose transaction did not end well is closed, and so is the transaction.
      client.release(!done);
      client.off('error', broken);
    }
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }
}

function queryOn(connection: Queryable): Query {
  return async <R extends object>(text: string, values: readonly unknown[] = []) => {
    try {
      const { rows, rowCount } = await connection.query(text, [...values]);
      return { rows: rows as R[], count: rowCount ?? 0 };
    } catch (error) {
      throw judged(error);
    }
  };
}

function judged(error: unknown): unknown {
  if (error instanceof DatabaseError && OUR_FAULT.test(error.code ?? '') && error.code !== NO_PRIVILEGE)
    return error;
  return new StoreAway(`the database: ${explain(error)}`);
}

function socketFrom(localAddress: string): Socket {
  const socket = new Socket();
  const connect = socket.connect.bind(socket);
  const family = isIP(localAddress);
  return Object.assign(socket, {
    connect: (port: number, host: string) => connect({ port, host, localAddress, family }),
  });
}
