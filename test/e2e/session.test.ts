import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { NodeSeen } from '../../client/state/node-memory.ts';
import { withLock } from '../../client/state/with-lock.ts';
import type { Person } from '../../tools/demo/people.ts';
import { type Forwarded, forwarded } from '../support/forwarded.ts';
import { until } from '../support/until.ts';
import { launch, startWorld, succeed, type World } from '../support/world.ts';

let world: World;
let alice: Person;
let enclave: string;
let launched: string;

beforeAll(async () => {
  world = await startWorld();
  alice = await world.user('alice');
  const outcome = await launch(alice);
  expect(outcome.code, outcome.output).toBe(0);
  enclave = outcome.enclave;
  launched = outcome.output;
});

afterAll(() => world?.stop());

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const each of undo.splice(0)) await each();
});

/** The folder of what alice has seen. */
const folder = (): string => {
  const trust = join(alice.home, '.local/state/enclavectl/trust');
  const [only = ''] = readdirSync(trust);
  return join(trust, only);
};
const seen = (): NodeSeen =>
  (JSON.parse(readFileSync(join(folder(), 'nodes.json'), 'utf8')) as { nodes: [NodeSeen] }).nodes[0];
/** What alice has seen becomes something else: to her, the node's TPM of now is another one, or has gone back. */
const hasSeen = (change: Partial<NodeSeen>): Promise<void> =>
  withLock(folder(), () => {
    const path = join(folder(), 'nodes.json');
    const memory = JSON.parse(readFileSync(path, 'utf8')) as { nodes: [NodeSeen] };
    writeFileSync(path, JSON.stringify({ ...memory, nodes: [{ ...memory.nodes[0], ...change }] }));
  });

async function connected(): Promise<Forwarded> {
  const connection = await forwarded(alice, world.settings, [enclave, '--renew-evidence', '1s']);
  undo.push(() => connection.stop('SIGKILL'));
  return connection;
}

/** One request on a connection that stays open. */
async function ask(socket: Socket, path: string): Promise<string> {
  const answer = new Promise<string>((resolve, reject) => {
    socket.once('data', (chunk) => resolve(chunk.toString()));
    socket.once('close', () => reject(new Error('the connection was closed')));
  });
  socket.write(`GET ${path} HTTP/1.1\r\nhost: app\r\n\r\n`);
  return answer;
}

test('a new node is told at launch, and not again', async () => {
  expect(launched).toMatch(/notice: the node \S+ is seen for the first time/);
  const again = JSON.parse(await succeed(alice, ['status', enclave, '--verify', '--json'])) as object;
  expect(again).toMatchObject({ verdict: { ok: true } });
  expect(again).not.toHaveProperty('notices');
});

test('evidence is renewed while a connection is open, also past the end of its agent', async () => {
  const { open, stop, said } = await connected();
  const socket = await open();
  expect(await ask(socket, '/first')).toContain('/first');
  const renewed = async (withinMs = 40_000): Promise<void> => {
    const { clock } = seen();
    await until('the TPM’s clock was seen to go on', async () => seen().clock > clock, withinMs).catch(
      (error: Error) => {
        throw new Error(`${error.message}; connect said: ${said()}`);
      },
    );
  };
  await renewed();
  await renewed();
  const agents = world.environment.processes('agent');
  expect(agents).not.toEqual([]);
  for (const pid of agents) process.kill(pid, 'SIGKILL');
  // A kubelet waits longer each time before it starts what other suites have killed before.
  await renewed(90_000);
  expect(await ask(socket, '/last')).toContain('/last');
  expect(await stop('SIGINT')).toBe(130);
  expect(said()).not.toContain('connections cut');
}, 180_000);

test('a new attestation key of the same TPM while connected: told once, and nothing is cut', async () => {
  const { open, stop, said } = await connected();
  const socket = await open();
  const { node, akNames } = seen();
  const { kubeconfig } = world.environment.cluster;
  await succeed(alice, ['admin', 'nodes', 'rotate', node, '--kubeconfig', kubeconfig]);
  await until('the new key was seen', async () => seen().akNames.length > akNames.length, 60_000);
  expect(await ask(socket, '/rotated')).toContain('/rotated');
  expect(await stop('SIGINT')).toBe(130);
  expect(said().match(/attestation-key-new/g)).toHaveLength(1);
  expect(JSON.parse(await succeed(alice, ['status', enclave, '--verify', '--json']))).not.toHaveProperty(
    'notices',
  );
}, 120_000);

test('a TPM that goes back while connected: the connection is cut, the command says why, and goes on once that is accepted', async () => {
  const { open, exit, said } = await connected();
  const socket = await open();
  expect(await ask(socket, '/mine')).toContain('/mine');
  const closed = new Promise((resolve) => socket.once('close', resolve));
  const before = seen();
  await hasSeen({ clock: before.clock + 86_400_000 });
  await closed;
  expect(await exit).toBe(1);
  expect(said()).toContain('(clock-went-back)');
  expect(said()).toContain(`enclavectl trust accept ${before.node}`);
  expect((await alice.enclavectl(['connect', enclave])).code).toBe(1);
  await succeed(alice, ['trust', 'accept', before.node, '--yes']);
  await succeed(alice, ['status', enclave, '--verify']);
});

test('a node with another endorsement key is refused until it is accepted', async () => {
  const { node, ekSha256 } = seen();
  await hasSeen({ ekSha256: 'ab'.repeat(32) });
  const refused = await alice.enclavectl(['connect', enclave, '--json']);
  expect(refused.code).toBe(1);
  expect(JSON.parse(refused.stdout)).toMatchObject({ ok: false, code: 'node-other-tpm' });
  expect(await succeed(alice, ['trust', 'show'])).toContain(`REFUSED of the node ${node}`);
  expect((await alice.enclavectl(['trust', 'accept', node])).code).toBe(2);
  await succeed(alice, ['trust', 'accept', node, '--yes']);
  expect(seen()).toMatchObject({ node, ekSha256 });
  await succeed(alice, ['status', enclave, '--verify']);
});
