import { Phase } from '../../proto/gen/enclave_licensing/licensing/v1/licensing.ts';

const NAMES: ReadonlyMap<number, string> = new Map([
  [Phase.PHASE_SEAT, 'seat'],
  [Phase.PHASE_CREATED, 'created'],
  [Phase.PHASE_STARTED, 'started'],
  [Phase.PHASE_CERTIFIED, 'certified'],
  [Phase.PHASE_ATTESTED, 'attested'],
  [Phase.PHASE_ISOLATED, 'isolated'],
  [Phase.PHASE_READY, 'ready'],
]);

/** As in metrics, logs and sentences; `unknown` for a number that is no phase. */
export function phaseName(phase: number): string {
  return NAMES.get(phase) ?? 'unknown';
}

/** Back from the store's number; a launch that is in the store has at least its seat. */
export function phaseOf(value: number): Phase {
  for (const phase of Object.values(Phase)) if (phase === value && phase > 0) return phase;
  return Phase.PHASE_SEAT;
}
