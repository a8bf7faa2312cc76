/** Needs root and the machine for itself: no cluster may be up. `PROGRAMS` is the folder that tools/kubernetes/build.sh prints. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { beforeAll, expect, test } from 'vitest';
import { mustRun } from '../../tools/cluster/command.ts';
import { differences, type MachineState, machineState } from './machine-state.ts';

const MAIN = 'tools/kubernetes/cluster/main.ts';
const FOLDER = resolve('.cluster');
const PROGRAMS = process.env['PROGRAMS'] ?? '';
let before: MachineState;

beforeAll(async () => {
  expect(PROGRAMS, 'run make test-cluster').not.toBe('');
  expect(existsSync(FOLDER), 'a cluster of this checkout is up: make cluster-down').toBe(false);
  before = await machineState([FOLDER]);
});

const up = (): ChildProcess =>
  spawn(process.execPath, [MAIN, 'up', PROGRAMS], { detached: true, stdio: ['ignore', 'pipe', 'pipe'] });

const down = (): Promise<string> => mustRun(process.execPath, [MAIN, 'down'], { timeoutMs: 60_000 });

async function nothingLeft(): Promise<void> {
  expect(existsSync(FOLDER)).toBe(false);
  // The kernel takes a dead namespace's last things away on its own time.
  await expect
    .poll(async () => differences(before, await machineState([FOLDER])), { timeout: 15_000, interval: 200 })
    .toEqual([]);
}

async function interrupted(starting: ChildProcess): Promise<void> {
  const ended = once(starting, 'exit');
  process.kill(-(starting.pid ?? 0), 'SIGINT');
  expect((await ended)[0]).toBe(130);
  await nothingLeft();
}

test.each([0, 150, 300, 500, 800, 1200, 1800, 2500])(
  'interrupted %i ms after its first process, a start leaves the machine as it was',
  async (milliseconds) => {
    const starting = up();
    await expect.poll(() => existsSync(FOLDER)).toBe(true);
    // The moment itself is what is tried.
    await pause(milliseconds);
    await interrupted(starting);
  },
  90_000,
);

test.each(['API server up', 'nodes Ready', 'images loaded', 'release installed', 'ready: enclave-certs'])(
  'interrupted when it has said "%s", a start leaves the machine as it was',
  async (line) => {
    const starting = up();
    let said = '';
    await new Promise<void>((resolve, reject) => {
      starting.stdout?.on('data', (chunk: Buffer) => {
        said += chunk;
        if (said.includes(line)) resolve();
      });
      starting.once('exit', () => reject(new Error(`it ended: ${said}`)));
    });
    await interrupted(starting);
  },
  180_000,
);

test('what a killed start has left, cluster-down takes away', async () => {
  const starting = up();
  const ended = once(starting, 'exit');
  await expect.poll(() => existsSync(`${FOLDER}/node2/log/kubelet`), { timeout: 60_000 }).toBe(true);
  process.kill(-(starting.pid ?? 0), 'SIGKILL');
  await ended;
  await down();
  await nothingLeft();
}, 120_000);

test('a cluster that has come up, with the product on it, leaves nothing when it goes', async () => {
  const starting = up();
  let said = '';
  for (const stream of [starting.stdout, starting.stderr])
    stream?.on('data', (chunk: Buffer) => (said += chunk));
  expect((await once(starting, 'exit'))[0], said).toBe(0);
  expect(differences(before, await machineState([FOLDER]))).not.toEqual([]);
  await down();
  await nothingLeft();
}, 240_000);
