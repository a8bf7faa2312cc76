import { execFileSync, spawn } from 'node:child_process';
import {
  appendFileSync,
  chownSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DatabaseUrl, parseDatabaseUrl } from '../../licensing/store/database-url.ts';
import { freePorts } from '../../tools/cluster/free-ports.ts';
import { until } from './until.ts';

/** Of its folder and processes: nobody, when the tests run as root. */
const OWNER = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : undefined;
/** What a URL has to escape is in it. */
const PASSWORD = 'p:w/d@%1';

export interface PostgresServerOptions {
  /** PEM; without it, plain text. */
  readonly tls?: { readonly key: string; readonly certificate: string };
  /** Addresses that it listens at, and whose peers may log in. */
  readonly listen?: string;
  readonly peers?: string;
}

/**
 * A PostgreSQL server of Debian's, in a folder of its own, as a user without rights: it refuses root. Everything but fsync is as
 * delivered; a machine does not lose its power here.
 */
export class PostgresServer {
  readonly port: number;
  readonly #folder: string;
  readonly #bin: string;
  #databases = 0;

  private constructor(port: number, folder: string, bin: string) {
    this.port = port;
    this.#folder = folder;
    this.#bin = bin;
  }

  static async start(options: PostgresServerOptions = {}): Promise<PostgresServer> {
    // Pods of the development cluster have addresses of their own on the loopback.
    const { tls, listen = '127.0.0.1', peers = '127.0.0.0/8' } = options;
    const folder = mkdtempSync(join(tmpdir(), 'postgres-'));
    const [port = 0] = await freePorts(1);
    const server = new PostgresServer(port, folder, binFolder());
    if (OWNER !== undefined) chownSync(folder, OWNER.uid, OWNER.gid);
    const passwords = server.#write('password', PASSWORD);
    const initial = ['-A', 'scram-sha-256', '--pwfile', passwords, '--no-sync'];
    server.#run('initdb', ['-D', server.#data, '-U', 'front', ...initial]);
    const settings = [
      `port = ${server.port}`,
      `listen_addresses = '${listen}'`,
      `unix_socket_directories = '${folder}'`,
      'fsync = off',
      'max_connections = 60',
    ];
    if (tls !== undefined)
      settings.push(
        'ssl = on',
        `ssl_key_file = '${server.#write('server.key', tls.key)}'`,
        `ssl_cert_file = '${server.#write('server.pem', tls.certificate)}'`,
      );
    appendFileSync(join(server.#data, 'postgresql.conf'), `${settings.join('\n')}\n`);
    appendFileSync(join(server.#data, 'pg_hba.conf'), `host all all ${peers} scram-sha-256\n`);
    server.resume();
    return server;
  }

  /** Of a database of its own, empty. */
  createDatabase(): DatabaseUrl {
    this.#databases += 1;
    const name = `test${this.#databases}`;
    this.sql('postgres', `CREATE DATABASE ${name}`);
    return this.url(name);
  }

  url(database: string, sslmode: 'disable' | 'verify-full' = 'disable', host = '127.0.0.1'): DatabaseUrl {
    const parsed = parseDatabaseUrl(this.text(database, sslmode, host));
    if (!parsed.ok) throw new Error(parsed.message);
    return parsed.value;
  }

  /** As it stands in a Secret. */
  text(database: string, sslmode = 'disable', host = '127.0.0.1'): string {
    return `postgres://front:${encodeURIComponent(PASSWORD)}@${host}:${this.port}/${database}?sslmode=${sslmode}\n`;
  }

  /** What the statement answers, by psql. */
  sql(database: string, statement: string): string {
    return execFileSync(join(this.#bin, 'psql'), [...this.#psql(database), '-c', statement], {
      env: { PGPASSWORD: PASSWORD },
      encoding: 'utf8',
    }).trim();
  }

  /** Holds a table's lock until it is released. */
  lock(database: string, table: string): { readonly taken: Promise<void>; release(): void } {
    const statement = `BEGIN; LOCK TABLE ${table}; SELECT 'taken'; SELECT pg_sleep(600)`;
    const child = spawn(join(this.#bin, 'psql'), [...this.#psql(database), '-c', statement], {
      env: { PGPASSWORD: PASSWORD },
    });
    // What psql prints comes when all of it is over; what it holds is seen by others at once.
    const query = `SELECT count(*) FROM pg_locks WHERE relation = '${table}'::regclass AND mode = 'AccessExclusiveLock' AND granted`;
    const taken = until('the lock', () => this.sql(database, query) === '1').then(() => undefined);
    const release = (): void => {
      child.kill('SIGKILL');
      this.sql(
        database,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'BEGIN; LOCK TABLE%'",
      );
    };
    return { taken, release };
  }

  /** As a crash does: no checkpoint, connections cut. */
  stop(): void {
    this.#run('pg_ctl', ['-D', this.#data, '-m', 'immediate', '-w', 'stop']);
  }

  resume(): void {
    const log = join(this.#folder, 'log');
    this.#run('pg_ctl', ['-D', this.#data, '-l', log, '-w', '-t', '60', 'start']);
  }

  remove(): void {
    if (existsSync(join(this.#data, 'postmaster.pid'))) this.stop();
    rmSync(this.#folder, { recursive: true });
  }

  #psql(database: string): string[] {
    return ['-h', this.#folder, '-p', String(this.port), '-U', 'front', '-d', database, '-qtAX'];
  }

  get #data(): string {
    return join(this.#folder, 'data');
  }

  #write(name: string, text: string): string {
    const path = join(this.#folder, name);
    writeFileSync(path, text, { mode: 0o600 });
    if (OWNER !== undefined) chownSync(path, OWNER.uid, OWNER.gid);
    return path;
  }

  #run(program: string, args: readonly string[]): void {
    execFileSync(join(this.#bin, program), args, {
      ...OWNER,
      cwd: this.#folder,
      env: { PATH: '/usr/bin:/bin', LC_ALL: 'C' },
      stdio: 'ignore',
    });
  }
}

function binFolder(): string {
  const root = '/usr/lib/postgresql';
  const versions = existsSync(root) ? readdirSync(root) : [];
  const [newest] = versions.map(Number).sort((a, b) => b - a);
  if (newest === undefined)
    throw new Error('no PostgreSQL here: apt-get install postgresql, or make test-postgres');
  return join(root, String(newest), 'bin');
}
