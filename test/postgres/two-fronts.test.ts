import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { openPostgresStore } from '../../licensing/store/postgres-store.ts';
import type { Store } from '../../licensing/store/store.ts';
import { RpcError } from '../../platform/rpc/rpc-error.ts';
import type { CallOptions } from '../../platform/rpc/service.ts';
import { EnclaveState, Phase } from '../../proto/gen/enclave_licensing/licensing/v1/licensing.ts';
import { FakeLauncher } from '../support/fake-launcher.ts';
import { type FollowedLaunch, follow, launchRequest } from '../support/front-fixture.ts';
import { type FrontProcess, FrontProcesses } from '../support/front-processes.ts';
import { PostgresServer } from '../support/postgres.ts';
import { createTestAuthority } from '../support/test-authority.ts';
import { until } from '../support/until.ts';

/** A lease, what is looked at in between, and a loaded machine. */
const TAKEN_OVER_MS = 15_000;

const authority = createTestAuthority();
let server: PostgresServer;
beforeAll(async () => {
  server = await PostgresServer.start();
});
afterAll(() => server?.remove());

let launcher: FakeLauncher;
let fronts: FrontProcesses;
let store: Store;
let database: string;
let one: FrontProcess;
let two: FrontProcess;
let ada: CallOptions;

beforeEach(async () => {
  launcher = new FakeLauncher(authority);
  await launcher.start();
  const url = server.createDatabase();
  database = url.database;
  fronts = new FrontProcesses(authority, launcher, url);
  [one, two] = await Promise.all([fronts.start({ seats: 12 }), fronts.start({ seats: 12 })]);
  store = await openPostgresStore({
    url,
    password: async () => url.password,
    ca: undefined,
    connections: 2,
    localAddress: '127.0.0.1',
  });
  ada = await one.token('ada');
});
afterEach(async () => {
  await fronts.end();
  await launcher.kill();
  await store.close();
});

type Request = ReturnType<typeof launchRequest>;

/** As a client does: what is cut off is asked for again, at whichever front answers. */
function persist(request: Request, at: readonly FrontProcess[]): Promise<FollowedLaunch> {
  const clients = at.map((front) => front.client());
  let attempts = 0;
  return until('a front that answers', async () => {
    const client = clients[attempts % clients.length];
    attempts += 1;
    try {
      return client && (await follow(client.launch(request, ada)));
    } catch (error) {
      if (!(error instanceof RpcError) || error.status !== 'UNAVAILABLE') throw error;
      return undefined;
    }
  });
}

const inState = async (state: 'launching' | 'ready' | 'failed' | 'stopped'): Promise<string[]> =>
  (await store.enclavesIn([state])).map(({ id }) => id).sort();

/** Every seat has its pod, every pod its seat. */
async function seatsAreRight(): Promise<void> {
  expect([...launcher.pods].sort()).toEqual(await inState('ready'));
  expect(await store.seatsTaken()).toBe(launcher.pods.size);
}

test('one of two is killed in the middle of launches: each ends, its seat is right, and its client sees it at the other', async () => {
  launcher.holdAt = Phase.PHASE_CERTIFIED;
  const requests = Array.from({ length: 10 }, (_, index) =>
    launchRequest(undefined, index === 9 ? 'crash' : 'small'),
  );
  const results = requests.map((request, index) =>
    persist(request, index % 2 === 0 ? [one, two] : [two, one]).catch((error: unknown) => error),
  );
  await vi.waitFor(async () => expect(launcher.pods.size).toBe(10), TAKEN_OVER_MS);
  const began = performance.now();
  await one.signal('SIGKILL');
  launcher.release();
  const ended = await Promise.all(results);
  expect(performance.now() - began).toBeLessThan(TAKEN_OVER_MS + 5000);
  expect(ended.slice(0, 9).map((each) => (each as FollowedLaunch).result?.enclave?.state)).toEqual(
    Array.from({ length: 9 }, () => EnclaveState.ENCLAVE_STATE_READY),
  );
  expect(ended[9]).toMatchObject({ code: 'crash-loop' });
  expect(await inState('ready')).toHaveLength(9);
  expect(await inState('failed')).toHaveLength(1);
  await seatsAreRight();
  // What was taken up is the survivor's, and its user's to stop.
  const { enclave } = ended[0] as FollowedLaunch;
  await two.client().stopEnclave({ id: enclave }, ada);
  expect(await store.seatsTaken()).toBe(8);
});

test('one that is told to stop lets go at once', async () => {
  launcher.holdAt = Phase.PHASE_STARTED;
  const request = launchRequest();
  const cut = follow(one.client().launch(request, ada));
  cut.catch(() => undefined);
  await vi.waitFor(async () => expect(launcher.pods.size).toBe(1), TAKEN_OVER_MS);
  await one.signal('SIGTERM');
  // Nobody has to wait for the end of its lease.
  expect(server.sql(database, 'SELECT count(*) FROM fronts')).toBe('1');
  launcher.release();
  const { result } = await follow(two.client().launch(request, ada));
  expect(result.enclave?.state).toBe(EnclaveState.ENCLAVE_STATE_READY);
  await expect(cut).rejects.toMatchObject({ status: 'UNAVAILABLE' });
  await seatsAreRight();
});

test('a client at the front that does not drive sees the phases, and may stop the launch there', async () => {
  launcher.holdAt = Phase.PHASE_CREATED;
  const request = launchRequest();
  const driven = follow(one.client().launch(request, ada));
  await vi.waitFor(async () => expect(launcher.pods.size).toBe(1), TAKEN_OVER_MS);
  const seen: number[] = [];
  const watched = follow(two.client().launch(request, ada), (phase) => {
    if (seen.at(-1) !== phase) seen.push(phase);
    if (phase === Phase.PHASE_CREATED) launcher.release(Phase.PHASE_ATTESTED);
    if (phase === Phase.PHASE_ATTESTED) launcher.release();
  });
  const [here, there] = await Promise.all([driven, watched]);
  expect(there.enclave).toBe(here.enclave);
  expect(seen).toEqual(expect.arrayContaining([Phase.PHASE_CREATED, Phase.PHASE_ATTESTED]));
  expect(there.result.userCertificateChain.map(String)).toEqual(['certificate of ada']);
  expect(launcher.calls.filter((call) => call === `launch ${here.enclave}`)).toHaveLength(1);

  launcher.holdAt = Phase.PHASE_STARTED;
  const other = launchRequest();
  let id = '';
  const stopped = follow(one.client().launch(other, ada), (_, enclave) => {
    id = enclave;
  });
  stopped.catch(() => undefined);
  await vi.waitFor(async () => expect(launcher.pods.size).toBe(2), TAKEN_OVER_MS);
  const { enclave } = await two.client().stopEnclave({ id }, ada);
  expect(enclave?.state).toBe(EnclaveState.ENCLAVE_STATE_STOPPED);
  await expect(stopped).rejects.toMatchObject({ code: 'launch-stopped' });
  expect(launcher.calls.filter((call) => call === `stop ${id}`)).toHaveLength(1);
  await seatsAreRight();
});

test('one that was away for longer than its lease gives up what another has taken, and revives nothing', async () => {
  launcher.holdAt = Phase.PHASE_STARTED;
  const request = launchRequest();
  const cut = follow(one.client().launch(request, ada));
  cut.catch(() => undefined);
  await vi.waitFor(async () => expect(launcher.pods.size).toBe(1), TAKEN_OVER_MS);
  const [id = ''] = await inState('launching');
  const driver = (await store.findEnclave(id))?.driver;
  await one.signal('SIGSTOP');
  await vi.waitFor(async () => expect((await store.findEnclave(id))?.driver).not.toBe(driver), TAKEN_OVER_MS);
  const stopping = two.client().stopEnclave({ id }, ada);
  expect((await stopping).enclave?.state).toBe(EnclaveState.ENCLAVE_STATE_STOPPED);
  expect(launcher.pods.size).toBe(0);
  await one.signal('SIGCONT');
  await expect(cut).rejects.toMatchObject({ code: 'launch-stopped' });
  launcher.release();
  // It lives again, and knows: the next launch is nobody's but its driver's.
  const { enclave } = await follow(one.client().launch(launchRequest(), ada));
  expect(await inState('ready')).toEqual([enclave]);
  await seatsAreRight();
});

test('the database dies under launches and comes back: no seat is lost, and both go on by themselves', async () => {
  launcher.holdAt = Phase.PHASE_CERTIFIED;
  const requests = Array.from({ length: 8 }, () => launchRequest());
  const results = requests.map((request, index) => persist(request, index % 2 === 0 ? [one] : [two]));
  await vi.waitFor(async () => expect(launcher.pods.size).toBe(8), TAKEN_OVER_MS);
  server.stop();
  launcher.release();
  for (const front of [one, two]) {
    const answer = front.client().listEnclaves({ pageSize: 0, pageToken: '' }, ada);
    await expect(answer).rejects.toMatchObject({ status: 'UNAVAILABLE', code: 'store-away' });
    await expect(front.client().login({ user: 'ada', password: 'password of ada' })).rejects.toMatchObject({
      code: 'store-away',
    });
    await expect.poll(async () => (await front.ready()).text).toMatch(/store: the database: /);
    expect((await front.ready()).ok).toBe(false);
  }
  server.resume();
  const ended = await Promise.all(results);
  expect(ended.map(({ result }) => result.enclave?.state)).toEqual(
    Array.from({ length: 8 }, () => EnclaveState.ENCLAVE_STATE_READY),
  );
  for (const front of [one, two]) {
    await expect.poll(async () => (await front.ready()).text).toMatch(/store: ok/);
    expect(front.lines.join('')).not.toMatch(/"level":(50|"error")|p:w|p%3Aw/);
  }
  await seatsAreRight();
});

test('both together give no more seats than there are, and each takes the other’s tokens, also after its end', async () => {
  const api = [one.client(), two.client()] as const;
  const asked = Array.from({ length: 30 }, (_, index) =>
    follow(api[index % 2 === 0 ? 0 : 1].launch(launchRequest(), ada)).then(
      () => 'ready',
      (error: unknown) => (error instanceof RpcError ? String(Reflect.get(error, 'code')) : String(error)),
    ),
  );
  const answers = await Promise.all(asked);
  expect(answers.filter((each) => each === 'ready')).toHaveLength(12);
  expect(new Set(answers)).toEqual(new Set(['ready', 'no-seat']));
  await seatsAreRight();
  await one.signal('SIGKILL');
  const list = await two.client().listEnclaves({ pageSize: 0, pageToken: '' }, ada);
  expect(list.enclaves).toHaveLength(12);
});

test('guesses at a password are counted for all fronts together', async () => {
  const tight = [await fronts.start({ loginsPerUser: 8 }), await fronts.start({ loginsPerUser: 8 })];
  // Four fronts live: each lets a fourth part through.
  await one.signal('SIGTERM');
  await two.signal('SIGTERM');
  const guesses = async (front: FrontProcess): Promise<number> => {
    const api = front.client();
    let wrong = 0;
    for (let round = 0; round < 8; round += 1)
      await api.login({ user: 'bob', password: 'wrong' }).catch((error: unknown) => {
        if (Reflect.get(error as object, 'code') === 'wrong-credentials') wrong += 1;
      });
    return wrong;
  };
  const counts = await Promise.all(tight.map(guesses));
  expect((counts[0] ?? 0) + (counts[1] ?? 0)).toBeLessThanOrEqual(8);
  expect(Math.min(...counts)).toBeGreaterThanOrEqual(2);
});
