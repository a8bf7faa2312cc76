import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Person } from '../../tools/demo/people.ts';
import { until } from '../support/until.ts';
import { launch, startWorld, succeed, type World } from '../support/world.ts';

/** Each is reached through its progress line, never by sleeping. */
export const KILL_PHASES = [
  'seat',
  'created',
  'started',
  'certified',
  'attested',
  'isolated',
  'ready',
] as const;
/** A kubelet waits before it starts a container that ends again and again: up to 80 s after the fifth time. */
const KUBELET_MS = 120_000;
const OVER = ['stopped', 'failed'];
const COMPONENTS = ['front', 'launcher', 'certs', 'webhook', 'agent', 'sidecar'] as const;
/** On the installed product (`make e2e`), where a case takes ten seconds, unless `ALL` is set: when each has something of the launch in hand, and once when it has not. */
const THERE: Readonly<Record<(typeof COMPONENTS)[number], readonly (typeof KILL_PHASES)[number][]>> = {
  front: ['seat', 'certified', 'ready'],
  launcher: ['seat', 'created', 'attested'],
  certs: ['started', 'certified'],
  webhook: ['seat', 'isolated'],
  agent: ['started', 'attested'],
  sidecar: ['started', 'certified', 'ready'],
};
const INSTALLED = (process.env['ENCLAVE_TEST_INSTALLED'] ?? '') !== '';
const SOME = INSTALLED && (process.env['ALL'] ?? '') === '';
const casesAt = (phase: (typeof KILL_PHASES)[number]) =>
  COMPONENTS.filter((component) => !SOME || THERE[component].includes(phase));
/** A pod that was started again so often is replaced: the kubelet would wait longer and longer for it. */
const TIRED = 3;

interface Listed {
  readonly id: string;
  readonly state: string;
  readonly reason: string;
}

async function listed(alice: Person): Promise<Listed[]> {
  return (JSON.parse(await succeed(alice, ['ls', '--json'])) as { enclaves: Listed[] }).enclaves;
}

/** No pod, no request of a pod or a user, no seat: what a launch took is given back. */
async function nothingLeft(world: World, alice: Person): Promise<void> {
  await until(
    'nothing of the launch is left',
    async () => {
      if ((await world.pods()).length > 0) return false;
      if ((await world.requests()).some((name) => /^(enclave|user)-/.test(name))) return false;
      const list = await listed(alice).catch(() => undefined);
      return list?.every(({ state }) => OVER.includes(state));
    },
    // Well below the minute after which the certificate service clears finished requests by itself.
    30_000,
  );
}

/** Each component is killed at each of these phases, on a product of this file's own. */
export function killAt(phases: readonly (typeof KILL_PHASES)[number][]): void {
  let world: World;
  let alice: Person;

  beforeAll(async () => {
    world = await startWorld({ nodes: 1 });
    alice = await world.user('alice');
  });

  afterAll(() => world?.stop());

  // Each case starts from a whole product and empty seats, whatever the one before it left.
  beforeEach(async () => {
    for (const [pod, count] of INSTALLED ? await world.restarts() : [])
      if (count >= TIRED)
        await world.environment.kubectl(['delete', 'pod', pod, '-n', world.environment.releaseNamespace]);
    await world.componentsReady();
    for (const { id } of (await listed(alice)).filter(({ state }) => !OVER.includes(state)))
      await alice.enclavectl(['stop', id]);
  });

  describe.each(phases)('kill -9 when the launch has reached %s', (phase) => {
    test.each(casesAt(phase))(
      '%s',
      async (component) => {
        let ended = 0;
        const before = await world.restarts();
        const outcome = await launch(alice, (reached, enclave) => {
          if (reached !== phase) return;
          for (const pid of world.environment.processes(
            component,
            component === 'sidecar' ? enclave : undefined,
          )) {
            process.kill(pid, 'SIGKILL');
            ended += 1;
          }
        });
        expect(outcome.enclave, outcome.output).not.toBe('');
        // Before the pod runs there is no sidecar to kill: the launch must not notice anything.
        if (component !== 'sidecar' || !['seat', 'created'].includes(phase)) expect(ended).toBeGreaterThan(0);
        if (component !== 'sidecar')
          await until(
            'what was killed runs again',
            async () => {
              const restarted = await world.restarted(component, before);
              return restarted.length > 0 && restarted.every(Boolean);
            },
            KUBELET_MS,
          );
        // A launch that failed is over and no longer listed; one that is ready is.
        const ready = await until(
          'the launch has ended',
          async () => {
            const list = await listed(alice).catch(() => undefined);
            const mine = list?.find(({ id }) => id === outcome.enclave);
            if (list === undefined || (mine !== undefined && !['ready', ...OVER].includes(mine.state)))
              return undefined;
            return mine?.state === 'ready' ? 'yes' : 'no';
          },
          60_000,
        );
        if (outcome.code === 0) {
          expect(ready).toBe('yes');
        } else {
          // A clear failure: the command says why, in words that name what was wrong.
          expect(outcome.output).toMatch(/enclavectl: .{10,}/);
        }
        if (ready === 'yes') {
          // It is what it says: fresh evidence, verified.
          await until(
            'the enclave proves itself',
            async () => {
              const status = await alice.enclavectl(['status', outcome.enclave, '--verify']);
              return status.code === 0;
            },
            60_000,
          );
          await until(
            'the enclave is stopped',
            async () => {
              const stop = await alice.enclavectl(['stop', outcome.enclave]);
              return stop.code === 0;
            },
            60_000,
          );
        }
        await nothingLeft(world, alice);
      },
      240_000,
    );
  });
}
