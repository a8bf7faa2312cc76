import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Person } from '../../tools/demo/people.ts';
import { launch, startWorld, succeed, type World } from '../support/world.ts';

/** Two of the certificate service and of the launcher: a launch goes through whichever of them is killed on the way. */
let world: World;
let alice: Person;

beforeAll(async () => {
  world = await startWorld({ nodes: 1 });
  await world.environment.replicas('enclave-certs', 2);
  await world.environment.replicas('enclave-launcher', 2);
  alice = await world.user('alice');
}, 180_000);
afterAll(() => world?.stop());

test.each(
  (['certs', 'launcher'] as const).flatMap((component) => [0, 1].map((which) => ({ component, which }))),
)(
  'process $which of $component is killed',
  async ({ component, which }) => {
    let killed = 0;
    const outcome = await launch(alice, (phase) => {
      if (phase !== 'created') return;
      const pid = world.environment.processes(component).sort((a, b) => a - b)[which];
      if (pid === undefined) return;
      process.kill(pid, 'SIGKILL');
      killed = pid;
    });
    expect(killed).toBeGreaterThan(0);
    expect(outcome.code, outcome.output).toBe(0);
    const pods = await world.pods();
    expect(pods).toHaveLength(1);
    await succeed(alice, ['status', outcome.enclave, '--verify']);
    await succeed(alice, ['stop', outcome.enclave]);
    await world.componentsReady();
  },
  120_000,
);
