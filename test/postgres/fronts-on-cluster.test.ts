import { afterAll, beforeAll, expect, test } from 'vitest';
import { fetchShownDocument } from '../../client/library/front/front-client.ts';
import { parseTrustDocument } from '../../formats/evidence/trust-document.ts';
import type { Person } from '../../tools/demo/people.ts';
import { PostgresServer } from '../support/postgres.ts';
import { until } from '../support/until.ts';
import { launch, startWorld, succeed, type World } from '../support/world.ts';

let server: PostgresServer;
let world: World;
let alice: Person;

beforeAll(async () => {
  server = await PostgresServer.start();
  const { database } = server.createDatabase();
  world = await startWorld({ nodes: 1, seats: 8, databaseUrl: server.text(database) });
  await world.environment.replicas('enclave-front', 2);
  alice = await world.user('alice');
});
afterAll(async () => {
  await world?.stop();
  server?.remove();
});

interface Listed {
  readonly id: string;
  readonly state: string;
}
const listed = async (): Promise<Listed[]> =>
  (JSON.parse(await succeed(alice, ['ls', '--json'])) as { enclaves: Listed[] }).enclaves;
const fronts = (): number[] => world.environment.processes('front');

test.each(['seat', 'started', 'certified', 'ready'])(
  'one of two fronts is killed when a launch has reached %s: every launch ends, and every seat has its pod',
  async (phase) => {
    let killed: number | undefined;
    const kill = (reached: string): void => {
      if (reached !== phase || killed !== undefined) return;
      killed = fronts()[0];
      if (killed !== undefined) process.kill(killed, 'SIGKILL');
    };
    const outcomes = await Promise.all(Array.from({ length: 3 }, () => launch(alice, kill)));
    expect(killed).toBeDefined();
    // The command goes on at the other front, with the same launch.
    for (const { code, output } of outcomes) expect(code, output).toBe(0);
    expect(
      (await listed())
        .filter(({ state }) => state === 'ready')
        .map(({ id }) => id)
        .sort(),
    ).toEqual(outcomes.map(({ enclave }) => enclave).sort());
    expect((await world.pods()).map(({ metadata }) => metadata.name).sort()).toEqual(
      outcomes.map(({ enclave }) => enclave).sort(),
    );
    for (const { enclave } of outcomes) {
      await succeed(alice, ['status', enclave, '--verify']);
      await succeed(alice, ['stop', enclave]);
    }
    await until('both fronts run', () => fronts().length === 2);
    await world.componentsReady();
  },
  180_000,
);

test('the trust document names the keys of both, also of those that were killed; the database’s password is in no log', async () => {
  const [host = '', port] = world.environment.frontAddress.split(':');
  const signal = AbortSignal.timeout(30_000);
  const named = async (): Promise<number> => {
    const shown = await fetchShownDocument({ host, port: Number(port) }, signal);
    const document = parseTrustDocument(shown?.document ?? new Uint8Array());
    return document.ok ? document.value.tokenKeys.keys.length : 0;
  };
  // Two at first, and one for each that was killed.
  await until('six keys', async () => (await named()) === 6);
  for (const text of (await world.environment.logs()).values()) expect(text).not.toMatch(/p%3Aw|p:w\/d/);
});
