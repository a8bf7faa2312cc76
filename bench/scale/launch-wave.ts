import type { Crowd, RunningEnclave } from './crowd.ts';

/** Each so many launches one bundle goes through the client's verification. */
const VERIFIED = 5;

/** Launches so many, some at a time; rejects when one fails. */
export async function launchWave(crowd: Crowd, count: number, inFlight: number): Promise<RunningEnclave[]> {
  const running: RunningEnclave[] = [];
  let begun = 0;
  const lane = async (): Promise<void> => {
    while (begun < count) {
      begun += 1;
      running.push(await crowd.launch(begun % VERIFIED === 0));
    }
  };
  await Promise.all(Array.from({ length: Math.min(count, inFlight) }, lane));
  return running;
}
