/** From `enclavectl launch` to the printed verdict, as a user waits for it; the whole process, 20 times. */
import { launch, startWorld, succeed } from '../test/support/world.ts';
import { median } from './figures.ts';

const LAUNCHES = 20;

export async function benchLaunch(): Promise<void> {
  const world = await startWorld();
  try {
    const alice = await world.user('alice');
    const times: number[] = [];
    for (let round = 0; round < LAUNCHES; round += 1) {
      const begun = performance.now();
      const { code, enclave, output } = await launch(alice);
      times.push(performance.now() - begun);
      if (code !== 0) throw new Error(output);
      await succeed(alice, ['stop', enclave]);
    }
    const slowest = Math.max(...times);
    console.log(
      `launch to verdict: p50 ${median(times).toFixed(0)} ms of ${LAUNCHES}, slowest ${slowest.toFixed(0)} ms`,
    );
  } finally {
    await world.stop();
  }
}
