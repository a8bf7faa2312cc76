import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DatabaseUrl } from '../../licensing/store/database-url.ts';
import { openPostgresStore } from '../../licensing/store/postgres-store.ts';
import type { Store } from '../../licensing/store/store.ts';
import { storeContract } from '../contract/store.ts';
import { PostgresServer } from '../support/postgres.ts';

let server: PostgresServer;
beforeAll(async () => {
  server = await PostgresServer.start();
});
afterAll(() => server?.remove());

const open = (url: DatabaseUrl, connections = 4): Promise<Store> =>
  openPostgresStore({
    url,
    password: async () => url.password,
    ca: undefined,
    connections,
    localAddress: '127.0.0.1',
  });

storeContract('PostgreSQL', async () => {
  const url = server.createDatabase();
  return { open: () => open(url), remove: async () => undefined };
});

const wish = (user: string, id: string) => ({
  id,
  user,
  launchId: randomBytes(16),
  profile: 'small',
  ownerKeySha256: 'ab'.repeat(32),
  nonce: randomBytes(32),
  certificateRequest: randomBytes(300),
});

describe('several fronts on one database', () => {
  test('migrate it once, however many begin together, and never touch what a newer one wrote', async () => {
    const url = server.createDatabase();
    const stores = await Promise.all(Array.from({ length: 6 }, () => open(url, 2)));
    await stores[0]?.createUser({ name: 'ada', passwordKey: new Uint8Array(96) }, 1, 1);
    expect(await stores[5]?.findUser('ada')).toBeDefined();
    for (const store of stores) await store.close();
    expect(server.sql(url.database, 'SELECT version FROM schema_version')).toBe('1');
    server.sql(url.database, 'UPDATE schema_version SET version = 99');
    await expect(open(url)).rejects.toThrow(/newer version \(schema 99/);
  });

  test('take no more seats than there are, with many launches at once at each of them', async () => {
    const url = server.createDatabase();
    const stores = [await open(url, 8), await open(url, 8)] as const;
    await stores[0].createUser({ name: 'ada', passwordKey: new Uint8Array(96) }, 7, 1);
    const asked = Array.from({ length: 120 }, (_, index) => {
      const store = stores[index % 2 === 0 ? 0 : 1];
      return store.takeSeat(wish('ada', `e${index}`), `front-${index % 2}`, 1);
    });
    const answers = await Promise.all(asked);
    expect(answers.filter(({ ok }) => ok)).toHaveLength(7);
    expect(await stores[1].seatsTaken()).toBe(7);
    // Two that free one seat again and again, and everybody after it.
    const [first] = await stores[0].enclavesIn(['launching']);
    let id = first?.id ?? '';
    for (let round = 0; round < 10; round += 1) {
      await stores[round % 2 === 0 ? 0 : 1].updateEnclave(id, ['launching'], { state: 'stopped' }, 2);
      const again = await Promise.all(
        Array.from({ length: 10 }, (_, index) =>
          stores[index % 2 === 0 ? 0 : 1].takeSeat(wish('ada', `r${round}-${index}`), 'front-1', 3),
        ),
      );
      const taken = again.flatMap((each) => (each.ok ? [each.value.record.id] : []));
      expect(taken).toHaveLength(1);
      id = taken[0] ?? '';
    }
    for (const store of stores) await store.close();
  });

  test('take no more seats than there are where the server begins transactions as REPEATABLE READ', async () => {
    const url = server.createDatabase();
    server.sql(
      'postgres',
      `ALTER DATABASE ${url.database} SET default_transaction_isolation = 'repeatable read'`,
    );
    const stores = [await open(url, 8), await open(url, 8)] as const;
    await stores[0].createUser({ name: 'ada', passwordKey: new Uint8Array(96) }, 3, 1);
    const asked = Array.from({ length: 60 }, (_, index) =>
      stores[index % 2 === 0 ? 0 : 1].takeSeat(wish('ada', `e${index}`), `front-${index % 2}`, 1),
    );
    expect((await Promise.all(asked)).filter(({ ok }) => ok)).toHaveLength(3);
    for (const store of stores) await store.close();
  });

  test('join one launch when both are asked for it at once', async () => {
    const url = server.createDatabase();
    const stores = [await open(url), await open(url)] as const;
    await stores[0].createUser({ name: 'ada', passwordKey: new Uint8Array(96) }, 9, 1);
    for (let round = 0; round < 20; round += 1) {
      const same = wish('ada', `e${round}`);
      const [one, two] = await Promise.all(
        stores.map((store, index) => store.takeSeat(same, `front-${index}`, 1)),
      );
      if (!one?.ok || !two?.ok) throw new Error('a seat was there');
      expect([one.value.created, two.value.created].sort()).toEqual([false, true]);
      expect(one.value.record).toEqual(two.value.record);
      await stores[0].updateEnclave(same.id, ['launching'], { state: 'stopped' }, 2);
    }
    for (const store of stores) await store.close();
  });

  test('one of them has a launch when all reach for it', async () => {
    const url = server.createDatabase();
    const stores = [await open(url), await open(url), await open(url)] as const;
    await stores[0].createUser({ name: 'ada', passwordKey: new Uint8Array(96) }, 100, 1);
    const names = stores.map((_, index) => `front-${index}`);
    await Promise.all(stores.map((store, index) => store.renewFront(names[index] ?? '', 60_000)));
    for (let round = 0; round < 20; round += 1) {
      await stores[0].takeSeat(wish('ada', `e${round}`), 'a front that died', 1);
      const claims = await Promise.all(
        stores.map((store, index) => store.claimEnclave(`e${round}`, names[index] ?? '')),
      );
      expect(claims.filter((each) => each?.ours)).toHaveLength(1);
    }
    for (const store of stores) await store.close();
  });
});
