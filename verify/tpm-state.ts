import type { TpmSeen } from './verdict.ts';

/** What a TPM says of its own time (TPMS_CLOCK_INFO, TPM 2.0 Library part 2, 10.11.1); the clock in milliseconds. */
export type TpmState = Pick<TpmSeen, 'resetCount' | 'restartCount' | 'clock'>;

/**
 * Whether a TPM that was at `before` may be at `now`: (resetCount, restartCount, clock), the clock compared only within one
 * reset count, where it cannot go back. Written so that a number that is none is refused.
 */
export function goesOn(before: TpmState, now: TpmState): boolean {
  if (now.resetCount !== before.resetCount) return now.resetCount > before.resetCount;
  return now.restartCount >= before.restartCount && now.clock >= before.clock;
}

export function stateText({ resetCount, restartCount, clock }: TpmState): string {
  return `reset ${resetCount}, restart ${restartCount}, clock ${clock} ms`;
}
