import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { command } from '../../tools/cluster/command.ts';
import { ENCLAVE_NAMESPACE } from '../../tools/cluster/environment.ts';
import type { Person } from '../../tools/demo/people.ts';
import { until } from '../support/until.ts';
import { launch, startWorld, succeed, type World } from '../support/world.ts';

let world: World;
let alice: Person;

beforeAll(async () => {
  world = await startWorld();
  alice = await world.user('alice');
});

afterAll(() => world?.stop());

interface Said {
  readonly ok: boolean;
  readonly code: string;
  readonly message: string;
  readonly remedy: string;
}

async function refused(args: readonly string[]): Promise<{ exit: number; said: Said }> {
  const result = await alice.enclavectl([...args, '--json']);
  return { exit: result.code, said: JSON.parse(result.stdout || result.stderr) as Said };
}

describe('wrong input', () => {
  test('a wrong password and an unknown user get one answer', async () => {
    const wrong = join(alice.home, 'wrong');
    writeFileSync(wrong, 'not the password\n', { mode: 0o600 });
    const known = await refused(['login', alice.name, '--password-file', wrong]);
    const unknown = await refused(['login', 'nobody', '--password-file', wrong]);
    expect(known).toEqual(unknown);
    expect(known.exit).toBe(4);
    // Nothing is lost: the session that was there still works.
    await succeed(alice, ['ls']);
  });

  test('a taken user name', async () => {
    const { exit, said } = await refused(['signup', alice.name, '--password-file', alice.passwordFile]);
    expect(exit).toBe(2);
    expect(said.message).toContain(alice.name);
  });

  test('an unknown profile is named, and takes no seat', async () => {
    const { exit, said } = await refused(['launch', 'no-such-profile']);
    expect(exit).toBe(2);
    expect(said.message).toContain('no-such-profile');
    expect(said.remedy).not.toBe('');
    const list = JSON.parse(await succeed(alice, ['ls', '--json'])) as { enclaves: { state: string }[] };
    expect(list.enclaves.filter(({ state }) => ['launching', 'ready'].includes(state))).toEqual([]);
  });

  test('no more seats than the licence has', async () => {
    const bob = await world.user('bob');
    const seats = world.environment.seats;
    const outcomes = await Promise.all(Array.from({ length: seats }, () => launch(bob)));
    expect(outcomes.map(({ code, output }) => (code === 0 ? 0 : output))).toEqual(Array(seats).fill(0));
    const over = await launch(bob);
    expect(over.code).toBe(4);
    expect(over.output).toMatch(/seat/);
    for (const { enclave } of outcomes) await succeed(bob, ['stop', enclave]);
    const again = await launch(bob);
    expect(again.code, again.output).toBe(0);
    await succeed(bob, ['stop', again.enclave]);
  });

  test("another user's enclave does not exist", async () => {
    const eve = await world.user('eve');
    const own = await launch(alice);
    expect(own.code, own.output).toBe(0);
    for (const args of [
      ['status', own.enclave],
      ['stop', own.enclave],
    ]) {
      const result = await eve.enclavectl([...args, '--json']);
      expect(result.code, args.join(' ')).toBe(2);
      expect(result.stdout).toContain('enclave-unknown');
    }
    await succeed(alice, ['status', own.enclave, '--verify']);
    await succeed(alice, ['stop', own.enclave]);
  });

  test('a server that is not there', async () => {
    const gone = await command(
      process.execPath,
      ['dist/enclavectl.js', 'login', 'alice', '--password-file', alice.passwordFile, '--json'],
      {
        env: { ...world.settings, HOME: alice.home, ENCLAVECTL_SERVER: '127.96.255.254:1' },
      },
    );
    expect(gone.code).toBe(3);
  });
});

describe('what goes away and comes back', () => {
  test("a node's TPM that stops: a clear answer, then evidence again", async () => {
    const own = await launch(alice);
    expect(own.code, own.output).toBe(0);
    const pods = await world.pods();
    const node = pods.find(({ metadata }) => metadata.name === own.enclave)?.spec.nodeName ?? '';
    await world.environment.cluster.stopTpm(node);
    const without = await alice.enclavectl(['status', own.enclave, '--verify', '--json']);
    expect(without.code, without.stdout).not.toBe(0);
    expect(`${without.stdout}${without.stderr}`).toMatch(/TPM|evidence/i);
    await world.environment.cluster.startTpm(node);
    await until('there is evidence again', async () => {
      const result = await alice.enclavectl(['status', own.enclave, '--verify']);
      return result.code === 0;
    });
    await succeed(alice, ['stop', own.enclave]);
  }, 120_000);

  test('a webhook that is down: the pod is refused, the launch says so, and the next one is good', async () => {
    await world.environment.replicas('enclave-webhook', 0);
    const outcome = await launch(alice);
    expect(outcome.code).toBe(4);
    expect(outcome.output).toMatch(/webhook/);
    expect(await world.pods()).toEqual([]);
    await world.environment.replicas('enclave-webhook', 1);
    const after = await launch(alice);
    expect(after.code, after.output).toBe(0);
    await succeed(alice, ['stop', after.enclave]);
  }, 120_000);

  test('an API server that goes away and comes back: all recover without a restart', async () => {
    const { cluster, kubectl } = world.environment;
    const running = await launch(alice);
    expect(running.code, running.output).toBe(0);
    const before = await world.restarts();
    await cluster.suspendApi();
    // What runs goes on: evidence needs no API server.
    await succeed(alice, ['status', running.enclave, '--verify']).catch((error: Error) =>
      expect(error.message).toMatch(/API server|unavailable/i),
    );
    await cluster.resumeApi();
    await world.componentsReady();
    const after = await launch(alice);
    expect(after.code, after.output).toBe(0);
    for (const { enclave } of [running, after]) await succeed(alice, ['stop', enclave]);
    expect(await world.restarts()).toEqual(before);
    expect(await kubectl(['get', 'pods', '-n', ENCLAVE_NAMESPACE, '-o', 'name'])).toBe('');
  }, 180_000);
});
