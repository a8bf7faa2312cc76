import type { Crowd, RunningEnclave } from './crowd.ts';

export interface EvidenceStorm {
  readonly asked: number;
  readonly seconds: number;
  /** Milliseconds each: a new connection, the question, the answer. */
  readonly times: readonly number[];
}

/** Each so many answers one is verified, all of it. */
const VERIFIED = 20;

/** Asks all enclaves in turn for fresh evidence, so many at a time, for so long. */
export async function evidenceStorm(
  crowd: Crowd,
  running: readonly RunningEnclave[],
  inFlight: number,
  ms: number,
): Promise<EvidenceStorm> {
  const times: number[] = [];
  const begun = performance.now();
  let turn = 0;
  const lane = async (): Promise<void> => {
    while (performance.now() - begun < ms) {
      const enclave = running[turn % running.length];
      turn += 1;
      if (enclave === undefined) return;
      const asked = performance.now();
      await crowd.evidence(enclave, turn % VERIFIED === 0);
      times.push(performance.now() - asked);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
  return { asked: times.length, seconds: (performance.now() - begun) / 1000, times };
}
