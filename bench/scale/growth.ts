import { setTimeout as pause } from 'node:timers/promises';
import type { Targets } from './component-metrics.ts';
import type { RunningEnclave } from './crowd.ts';
import { launchWave } from './launch-wave.ts';
import type { ScaleWorld } from './scale-world.ts';
import { measure, type Window } from './window.ts';

/** What was measured while the cluster grew to one size, and at it. */
export interface Stage {
  readonly size: number;
  /** Launches in this stage. */
  readonly launched: number;
  /** Milliseconds each, with many at a time. */
  readonly times: readonly number[];
  /** Milliseconds each, of some that were launched alone, at this size. */
  readonly alone: readonly number[];
  readonly growing: Window;
  /** Nothing is launched. */
  readonly resting: Window;
  /** Bytes of the trust document, signed. */
  readonly trustBytes: number;
}

export interface GrowthOptions {
  readonly sizes: readonly number[];
  readonly inFlight: number;
  readonly restMs: number;
}

const ALONE = 5;

/** Grows the cluster to each size in turn. */
export async function grow(
  world: ScaleWorld,
  targets: Targets,
  options: GrowthOptions,
  running: RunningEnclave[],
  onStage: (stage: Stage) => void,
): Promise<void> {
  for (const size of options.sizes) {
    const count = size - running.length - Math.min(ALONE, size >> 1);
    let wave: RunningEnclave[] = [];
    const growing = await measure(world, targets, async () => {
      wave = await launchWave(world.crowd, count, options.inFlight);
    });
    running.push(...wave);
    const alone: number[] = [];
    while (running.length < size) {
      const enclave = await world.crowd.launch(true);
      alone.push(enclave.took);
      running.push(enclave);
    }
    const resting = await measure(world, targets, () => pause(options.restMs));
    const times = wave.map(({ took }) => took);
    const trustBytes = await world.crowd.trustBytes();
    onStage({ size, launched: count, times, alone, growing, resting, trustBytes });
  }
}
