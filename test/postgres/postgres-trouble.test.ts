import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openStore, type StoreOptions } from '../../licensing/store/open-store.ts';
import { PostgresDatabase } from '../../licensing/store/postgres-database.ts';
import { openPostgresStore } from '../../licensing/store/postgres-store.ts';
import { StoreAway } from '../../licensing/store/store-away.ts';
import { createHealth } from '../../platform/health/health.ts';
import { PostgresServer } from '../support/postgres.ts';
import { recordingLogger } from '../support/recording-logger.ts';
import { tcpTable } from '../support/tcp-table.ts';
import { createTestAuthority } from '../support/test-authority.ts';
import { until } from '../support/until.ts';

const authority = createTestAuthority('database root');
const pem = (der: Uint8Array): string =>
  `-----BEGIN CERTIFICATE-----\n${Buffer.from(der).toString('base64')}\n-----END CERTIFICATE-----\n`;
let server: PostgresServer;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'urls-'));
  const { chain, privateKey } = authority.issue({ dns: ['localhost'] });
  const key = privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
  server = await PostgresServer.start({ tls: { key, certificate: pem(chain[0] ?? new Uint8Array()) } });
});
afterAll(() => {
  server?.remove();
  rmSync(folder, { recursive: true });
});

const file = (name: string, text: string): string => {
  const path = join(folder, name);
  writeFileSync(path, text, { mode: 0o600 });
  return path;
};
const SECRET = /p%3Aw|p:w/;

/** Opens as front does; gives up when the check has said why it waits. */
async function open(options: Partial<StoreOptions>) {
  const { log, lines } = recordingLogger();
  const health = createHealth();
  const abort = new AbortController();
  const opening = openStore(
    {
      database: undefined,
      databaseUrlFile: undefined,
      databaseCaFile: undefined,
      importDatabase: undefined,
      databaseConnections: 3,
      bind: '127.0.0.1',
      ...options,
    },
    log,
    abort.signal,
    health.check('store'),
  );
  const reason = (): string => health.ready().lines.join();
  opening.catch(() => undefined);
  return { opening, lines, reason, giveUp: () => abort.abort() };
}

test('over TLS with the operator’s root and the server’s name, or not at all', async () => {
  const { database } = server.createDatabase();
  const ca = file('ca.pem', pem(authority.root));
  const url = (sslmode: string, host = 'localhost') =>
    file(`${sslmode}-${host}`, server.text(database, sslmode, host));
  const store = await (await open({ databaseUrlFile: url('verify-full'), databaseCaFile: ca })).opening;
  await store.createUser({ name: 'ada', passwordKey: new Uint8Array(96) }, 1, 1);
  expect(
    server.sql(
      database,
      "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE ssl AND application_name = 'enclave-front'",
    ),
  ).not.toBe('0');
  await store.close();
  const stranger = file('other.pem', pem(createTestAuthority('database root').root));
  for (const [options, why] of [
    [
      { databaseUrlFile: url('verify-full'), databaseCaFile: stranger },
      /signature|unable to verify|self-signed/,
    ],
    [{ databaseUrlFile: url('verify-full', '127.0.0.1'), databaseCaFile: ca }, /127\.0\.0\.1/],
  ] as const) {
    const attempt = await open(options);
    await expect.poll(attempt.reason).toMatch(why);
    attempt.giveUp();
    await expect(attempt.opening).rejects.toThrow();
    expect(attempt.lines.join('')).not.toMatch(SECRET);
  }
  await expect((await open({ databaseUrlFile: url('verify-full') })).opening).rejects.toThrow(
    /--database-ca-file/,
  );
  for (const sslmode of ['require', 'prefer', 'no-verify', 'verify-ca'])
    await expect((await open({ databaseUrlFile: url(sslmode) })).opening).rejects.toThrow(
      /sslmode is verify-full or disable/,
    );
});

test('a wrong password, a missing database, a server that is away are waited out, and said without the secret', async () => {
  const { database } = server.createDatabase();
  const right = server.text(database);
  const path = file('url', right.replace('p%3Aw', 'other'));
  const attempt = await open({ databaseUrlFile: path });
  await expect.poll(attempt.reason).toMatch(/store: the database: password authentication failed/);
  // A Secret that is mended is read again.
  writeFileSync(path, right);
  const store = await attempt.opening;
  await store.close();
  expect(attempt.lines.join('')).not.toMatch(/other|p%3Aw|p:w/);
  const missing = await open({ databaseUrlFile: file('missing', server.text('nowhere')) });
  await expect.poll(missing.reason).toMatch(/database "nowhere" does not exist/);
  server.sql('postgres', 'CREATE DATABASE nowhere');
  await (await missing.opening).close();
});

test('what is wrong with the file is said, and nothing of what is in it', async () => {
  for (const [text, why] of [
    ['', /not one line/],
    ['mysql://front:p:w@h/d', /no postgres/],
    ['postgres://front:p:w/x@@@', /.+/],
    ['postgres://front:p%zzp:w@h/d', /begins no escape/],
    ['postgres://:p:w@h/d', /.+/],
    ['postgres://front:p:w@h/', /no database/],
    ['postgres://front:p:w@h/d?sslmode=disable&host=p:w', /another parameter/],
    ['postgres://front:p:w@h/d?sslmode=disable&sslmode=verify-full', /sslmode/],
    [`postgres://front:p:w@h/${'d'.repeat(5000)}`, /not one line/],
  ] as const) {
    const { opening } = await open({ databaseUrlFile: file('wrong', text) });
    const error = await opening.then(
      () => new Error('it was taken'),
      (caught: Error) => caught,
    );
    expect(error.message, text).toMatch(why);
    expect(`${error.message}${error.stack}${JSON.stringify(error)}`).not.toMatch(SECRET);
  }
  await expect((await open({})).opening).rejects.toThrow(/either --database/);
  await expect((await open({ database: '/x', databaseUrlFile: '/y' })).opening).rejects.toThrow(/either/);
});

test('a server that dies and comes back: calls fail meanwhile as away, and go on by themselves', async () => {
  const url = server.createDatabase();
  const options = {
    url,
    password: async () => url.password,
    ca: undefined,
    connections: 3,
    localAddress: '127.0.0.1',
  };
  const store = await openPostgresStore(options);
  await store.createUser({ name: 'ada', passwordKey: new Uint8Array(96) }, 1, 1);
  server.stop();
  for (let round = 0; round < 5; round += 1)
    await expect(store.findUser('ada')).rejects.toBeInstanceOf(StoreAway);
  await expect(store.takeSeat({ ...NOTHING, user: 'ada' }, 'f', 1)).rejects.toBeInstanceOf(StoreAway);
  server.resume();
  expect(await store.findUser('ada')).toBeDefined();
  expect((await store.takeSeat({ ...NOTHING, user: 'ada' }, 'f', 1)).ok).toBe(true);
  await store.close();
});

test('a connection that breaks between two statements of a transaction ends the transaction, not the process', async () => {
  const url = server.createDatabase();
  const password = async () => url.password;
  const database = new PostgresDatabase({
    url,
    password,
    ca: undefined,
    connections: 2,
    localAddress: '127.0.0.1',
  });
  const backends =
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'enclave-front' AND datname = current_database()";
  const transaction = database.transaction(async (query) => {
    await query('CREATE TABLE kept (n INTEGER)');
    server.sql(url.database, backends);
    // The end of the connection is heard before the next statement is sent: neither end holds it any more.
    const theirs = `127.0.0.1:${server.port}`;
    await until(
      'the end of the connection',
      () => !tcpTable().some(({ remote, state }) => remote === theirs && state !== 'other'),
    );
    await query('SELECT 1');
  });
  await expect(transaction).rejects.toBeInstanceOf(StoreAway);
  expect((await database.query('SELECT 1')).rows).toHaveLength(1);
  expect(server.sql(url.database, "SELECT to_regclass('kept') IS NULL")).toBe('t');
  await database.close();
});

test('a statement that waits for ever is ended, and more callers than connections wait their turn', async () => {
  const url = server.createDatabase();
  const options = {
    url,
    password: async () => url.password,
    ca: undefined,
    connections: 2,
    localAddress: '127.0.0.1',
  };
  const store = await openPostgresStore(options);
  await store.createUser({ name: 'ada', passwordKey: new Uint8Array(96) }, 1, 1);
  const many = await Promise.all(Array.from({ length: 100 }, () => store.findUser('ada')));
  expect(many.every((each) => each?.name === 'ada')).toBe(true);
  const connections =
    "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'enclave-front' AND datname = current_database()";
  expect(Number(server.sql(url.database, connections))).toBeLessThanOrEqual(2);
  // Somebody holds the licence's row.
  const holder = await openPostgresStore(options);
  const locked = server.lock(url.database, 'licences');
  try {
    await locked.taken;
    await expect(store.takeSeat({ ...NOTHING, user: 'ada' }, 'f', 1)).rejects.toThrow(/statement timeout/);
  } finally {
    locked.release();
  }
  await expect.poll(async () => (await store.takeSeat({ ...NOTHING, user: 'ada' }, 'f', 1)).ok).toBe(true);
  await holder.close();
  await store.close();
});

test('a server that takes connections and says nothing is away, in time', async () => {
  const sockets: Socket[] = [];
  const silent = createServer((socket) => void sockets.push(socket));
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const address = silent.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const url = { ...server.url('postgres'), port };
  await expect(
    openPostgresStore({
      url,
      password: async () => url.password,
      ca: undefined,
      connections: 2,
      localAddress: '127.0.0.1',
    }),
  ).rejects.toBeInstanceOf(StoreAway);
  for (const socket of sockets) socket.destroy();
  silent.close();
});

const NOTHING = {
  id: 'e1',
  launchId: new Uint8Array(16),
  profile: 'small',
  ownerKeySha256: '',
  nonce: new Uint8Array(16),
  certificateRequest: new Uint8Array(1),
};
