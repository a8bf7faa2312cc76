/** Fresh evidence: how much of it one TPM gives, and how soon. TPM and shim are started here. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startSwtpm } from '../test/support/swtpm.ts';
import { median } from './figures.ts';
import { startHttpsLoad } from './https-load.ts';
import { startQueueLoad } from './queue-load.ts';
import { startSlowTpm } from './start-slow-tpm.ts';

/** What TPM2_Quote takes of a usual discrete TPM, in milliseconds; and a TPM that is no faster than swtpm. */
const TPM_MS = [35.6, 0] as const;
const ROUNDS = 5;
const IN_FLIGHT = 1024;
/** Each of the figures of a round, alternating. */
const MS = 1500;
const IDLE = 20;
/** Of the floor: more would only wait longer. */
const UNBATCHED_IN_FLIGHT = 4;

/** Prints a line a figure: what, the median, its multiple of one quote for each statement in the same round. */
export async function benchEvidenceQueue(): Promise<void> {
  await atTheQueue();
  await throughHttps();
}

async function atTheQueue(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'bench-'));
  const swtpm = await startSwtpm();
  const shim = await startSlowTpm(join(folder, 'tpm.sock'), swtpm.socket);
  const load = await startQueueLoad(shim.address);
  try {
    for (const ms of TPM_MS) {
      await shim.take(ms);
      const rounds: { unbatched: number; batched: number; idle: number }[] = [];
      await load.rate(IN_FLIGHT, MS / 2);
      for (let round = 0; round < ROUNDS; round += 1)
        rounds.push({
          unbatched: await load.rate(UNBATCHED_IN_FLIGHT, MS, 1),
          batched: await load.rate(IN_FLIGHT, MS),
          idle: await load.idleMs(IDLE),
        });
      say(
        `one quote for each, ${named(ms)}`,
        rounds.map(({ unbatched }) => unbatched),
      );
      say(
        `${IN_FLIGHT} in flight at the queue, ${named(ms)}`,
        rounds.map(({ batched }) => batched),
        rounds.map(({ batched, unbatched }) => batched / unbatched),
      );
      sayIdle(
        `idle latency at the queue, ${named(ms)}`,
        rounds.map(({ idle }) => idle),
      );
    }
    const { ms, pauseMs, heapMb } = await load.largest();
    console.log(
      `a batch of 65,536: ${ms.toFixed(0)} ms, longest pause of the event loop ${pauseMs.toFixed(0)} ms, ${heapMb.toFixed(0)} MB`,
    );
  } finally {
    await load.close();
    await shim.close();
    await swtpm.remove();
    await rm(folder, { recursive: true, force: true });
  }
}

async function throughHttps(): Promise<void> {
  const load = await startHttpsLoad(IN_FLIGHT);
  try {
    for (const ms of TPM_MS) {
      await load.tpm.take(ms);
      const rounds: { rate: number; idle: { ms: number; rate: number } }[] = [];
      await load.rate(MS / 2);
      for (let round = 0; round < ROUNDS; round += 1)
        rounds.push({ idle: await load.idle(MS), rate: await load.rate(2 * MS) });
      say(
        `${IN_FLIGHT} in flight through HTTPS, ${named(ms)}`,
        rounds.map(({ rate }) => rate),
        rounds.map(({ rate, idle }) => rate / idle.rate),
      );
      sayIdle(
        `idle latency through HTTPS, ${named(ms)}`,
        rounds.map(({ idle }) => idle.ms),
      );
    }
  } finally {
    await load.close();
  }
}

function named(ms: number): string {
  return ms === 0 ? 'TPM as fast as swtpm' : `TPM of ${ms} ms`;
}

function say(what: string, rates: readonly number[], multiples?: readonly number[]): void {
  const multiple = multiples === undefined ? '' : `, ${median(multiples).toFixed(0)}x of one at a time`;
  console.log(`${what}: ${median(rates).toFixed(0)} a second${multiple}`);
}

function sayIdle(what: string, times: readonly number[]): void {
  console.log(`${what}: TPM + ${median(times).toFixed(2)} ms`);
}
