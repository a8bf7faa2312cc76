import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { NO_NODES, parseNodeMemory, withAccepted, withSeen } from '../../client/state/node-memory.ts';
import { TrustStore } from '../../client/state/trust-store.ts';
import { withLock } from '../../client/state/with-lock.ts';
import { toUtf8 } from '../../formats/bytes/bytes.ts';
import type { TpmSeen } from '../../verify/verdict.ts';

const EK = 'ab'.repeat(32);
const tpm = (change: Partial<TpmSeen> = {}): TpmSeen => ({
  ...{ node: 'node-1', ekSha256: EK, akName: '000b01', resetCount: 7, restartCount: 1, clock: 1_000 },
  ...change,
});

describe('what was seen', () => {
  test('a new node, a new key of the same TPM and a higher reset count are told once; two keys in turns are no news', () => {
    let memory = NO_NODES;
    const sees = (change: Partial<TpmSeen>) => {
      const after = withSeen(memory, tpm(change), 10);
      memory = after.memory;
      return after.sights;
    };
    expect(sees({})).toEqual(['node-new']);
    expect(sees({ clock: 2_000 })).toEqual([]);
    expect(sees({ akName: '000b02', clock: 3_000 })).toEqual(['attestation-key-new']);
    expect(sees({ akName: '000b01', clock: 4_000 })).toEqual([]);
    expect(sees({ akName: '000b02', resetCount: 8, clock: 10 })).toEqual(['node-restarted']);
    expect(sees({ node: 'node-2', ekSha256: 'cd'.repeat(32) })).toEqual(['node-new']);
    expect(memory.nodes).toMatchObject([{ resetCount: 8, restartCount: 1, clock: 10 }, { node: 'node-2' }]);
  });

  test('whatever the order in which they are written, what is kept is the furthest', () => {
    const count = fc.integer({ min: 0, max: 3 });
    const sight = fc.record({ resetCount: count, restartCount: count, clock: count });
    fc.assert(
      fc.property(fc.array(sight, { minLength: 1, maxLength: 8 }), (sights) => {
        const { memory } = sights.reduce((m, each) => withSeen(m.memory, tpm(each), 1), {
          memory: NO_NODES,
          sights: [] as unknown[],
        });
        const resetCount = Math.max(...sights.map((each) => each.resetCount));
        const last = sights.filter((each) => each.resetCount === resetCount);
        expect(memory.nodes).toMatchObject([
          {
            resetCount,
            restartCount: Math.max(...last.map((each) => each.restartCount)),
            clock: Math.max(...last.map((each) => each.clock)),
          },
        ]);
      }),
    );
  });

  test('another TPM is never taken over by itself; accepted, it takes the place of all that was known of both', () => {
    const other = tpm({ ekSha256: 'cd'.repeat(32), resetCount: 1 });
    const memory = withSeen(
      withSeen(NO_NODES, tpm(), 1).memory,
      tpm({ node: 'node-2', ekSha256: 'ef'.repeat(32) }),
      1,
    ).memory;
    expect(withSeen(memory, other, 2)).toEqual({ memory, sights: [] });
    // The machine of node-2 now is node-1.
    const moved = {
      ...tpm({ ekSha256: 'ef'.repeat(32), clock: 5 }),
      code: 'node-other-tpm',
      refusedAt: 2,
    } as const;
    const { nodes } = withAccepted(memory, moved, 3);
    expect(nodes).toMatchObject([{ node: 'node-1', ekSha256: 'ef'.repeat(32), clock: 5 }]);
  });

  test('what is no memory is refused, member by member', () => {
    const good = JSON.stringify(withSeen(NO_NODES, tpm(), 1).memory);
    expect(parseNodeMemory(toUtf8(good)).ok).toBe(true);
    for (const bad of [
      '',
      '{}',
      good.slice(0, -1),
      good.replace('"clock":1000', '"clock":-1'),
      good.replace('nodes/1', 'nodes/2'),
      good.replace('"refused":[]', '"refused":[],"x":1'),
    ])
      expect(parseNodeMemory(toUtf8(bad)).ok, bad).toBe(false);
  });
});

describe('several enclavectl on one state', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'memory-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  test('processes that write at once lose nothing of each other, and nothing goes back', async () => {
    const program = `
      import { TrustStore } from ${JSON.stringify(join(import.meta.dirname, '../../client/state/trust-store.ts'))};
      const [own] = process.argv.slice(1);
      const store = new TrustStore(${JSON.stringify(folder)}, 'ab');
      const state = { akName: '000b01', resetCount: 7, restartCount: 1 };
      for (let i = 1; i <= 20; i += 1) {
        await store.remember({ node: 'own-' + own, ekSha256: own.repeat(64), clock: i * 10_000, ...state }, 1);
        const clock = i * 100_000 + Number(own) * 2_000;
        await store.remember({ node: 'shared', ekSha256: 'f'.repeat(64), clock, ...state }, 1);
        const shared = store.nodes().nodes.find(({ node }) => node === 'shared');
        if (shared.clock < clock) throw new Error('it went back to ' + shared.clock);
      }`;
    const run = (own: number): Promise<number | null> =>
      new Promise((resolve) => {
        const args = ['--input-type=module', '-e', program, String(own)];
        spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] }).once('exit', resolve);
      });
    expect(await Promise.all([1, 2, 3, 4].map(run))).toEqual([0, 0, 0, 0]);
    const { nodes } = new TrustStore(folder, 'ab').nodes();
    expect(new Map(nodes.map(({ node, clock }) => [node, clock]))).toEqual(
      new Map([...[1, 2, 3, 4].map((own) => [`own-${own}`, 200_000] as const), ['shared', 2_008_000]]),
    );
  });

  test('a lock whose process is gone is taken away; one that is held is waited for', async () => {
    const lock = join(folder, 'lock');
    const gone = spawn(process.execPath, ['-e', '']);
    await new Promise((resolve) => gone.once('exit', resolve));
    writeFileSync(lock, `${gone.pid} ${hostname()}`);
    expect(await withLock(folder, () => 'done')).toBe('done');
    writeFileSync(lock, `${process.pid} ${hostname()}`);
    let done = false;
    const waiting = withLock(folder, () => {
      done = true;
    });
    expect(readFileSync(lock, 'utf8')).toContain(String(process.pid));
    expect(done).toBe(false);
    rmSync(lock);
    await waiting;
    expect(done).toBe(true);
  });

  test('a process that was killed while it took a lock away keeps nobody busy without end', async () => {
    const gone = spawn(process.execPath, ['-e', '']);
    await new Promise((resolve) => gone.once('exit', resolve));
    for (const name of ['lock', 'lock.remover'])
      writeFileSync(join(folder, name), `${gone.pid} ${hostname()}`);
    await expect(withLock(folder, () => 'done', 100)).rejects.toMatchObject({ code: 'state-locked' });
    for (const name of ['lock', 'lock.remover']) rmSync(join(folder, name));
    expect(await withLock(folder, () => 'done')).toBe('done');
  });

  test('a damaged file refuses with what to do, and is left as it is', async () => {
    const store = new TrustStore(folder, 'ab');
    await store.remember(tpm(), 1);
    const path = join(store.folder, 'nodes.json');
    const half = readFileSync(path, 'utf8').slice(0, 40);
    writeFileSync(path, half);
    const damaged = { code: 'state-damaged', kind: 'usage', remedy: expect.stringContaining('remove it') };
    expect(() => store.nodes()).toThrow(expect.objectContaining(damaged));
    await expect(store.remember(tpm({ clock: 9_000 }), 2)).rejects.toMatchObject(damaged);
    expect(readFileSync(path, 'utf8')).toBe(half);
  });
});
