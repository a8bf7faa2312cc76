import { setImmediate as afterIo } from 'node:timers/promises';

/** How long others on the event loop wait for a slice, in milliseconds. */
const SLICE_MS = 4;

/** Does long work in slices: runs the steps of a generator and lets the event loop go round whenever a slice's time is used up. */
export async function inSlices<T>(steps: Generator<void, T>): Promise<T> {
  for (let begun = performance.now(); ; ) {
    const step = steps.next();
    if (step.done) return step.value;
    if (performance.now() - begun < SLICE_MS) continue;
    await afterIo();
    begun = performance.now();
  }
}
