import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  childrenOf,
  hasEnded,
  isAlive,
  readRecord,
  recordProcess,
} from '../../tools/kubernetes/cluster/process-record.ts';

test('a process is known by its number and when it began: another of its number is not it, and nor is one that has ended', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'record-'));
  const child = spawn('sh', ['-c', 'sleep 60 & echo started; wait'], { stdio: ['ignore', 'pipe', 'ignore'] });
  try {
    await once(child.stdout, 'data');
    const file = join(folder, 'process');
    const record = recordProcess(file, child.pid ?? 0);
    expect(readRecord(file)).toEqual(record);
    expect(isAlive(record)).toBe(true);
    const [sleeper, ...others] = childrenOf(record);
    expect(others).toEqual([]);
    // What a reboot, or a day of other processes, makes of a number.
    expect(isAlive({ ...record, begun: `${Number(record.begun) - 1}` })).toBe(false);
    expect(await hasEnded(record, 0)).toBe(false);
    for (const pid of [sleeper, child.pid]) process.kill(pid ?? 0, 'SIGKILL');
    expect(await hasEnded(record, 10_000)).toBe(true);
    for (const damaged of ['', 'x 1\n', '-1 1\n']) {
      writeFileSync(file, damaged);
      expect(readRecord(file), damaged).toBeUndefined();
    }
  } finally {
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }
});

test('a process that has ended and that nobody has asked for is not alive', async () => {
  // Its parent never waits for it: it becomes nobody before the parent does.
  const parent = spawn(
    'python3',
    ['-c', 'import os,time\np=os.fork()\nif p==0: os._exit(0)\nprint(p,flush=True)\ntime.sleep(60)'],
    {
      stdio: ['ignore', 'pipe', 'ignore'],
    },
  );
  const folder = mkdtempSync(join(tmpdir(), 'record-'));
  try {
    const [said] = (await once(parent.stdout, 'data')) as [Buffer];
    const record = recordProcess(join(folder, 'process'), Number(said.toString()));
    expect(record.begun).not.toBe('');
    expect(await hasEnded(record, 10_000)).toBe(true);
  } finally {
    parent.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }
});
