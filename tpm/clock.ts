import { CLOCK_SET, READ_CLOCK } from '../formats/tpm/commands.ts';
import { RH } from '../formats/tpm/handles.ts';
import type { TpmExecutor } from './executor.ts';

/** A TPM writes its clock to NV memory at least this often, in milliseconds (part 1, 36.3.2: 2^22). */
const NV_INTERVAL = 1n << 22n;

/**
 * After a power loss the clock starts from the value last written, which may be less than what was reported before:
 * `safe` is NO (part 1, 36.3.2), and verifiers doubt every quote until the clock has passed the next write, for up to 70
 * minutes. Moving it there at once, as the owner may (part 3, 29.2), makes every later value greater than any
 * reported one, which is all that `safe` says.
 */
export async function makeClockSafe(tpm: TpmExecutor): Promise<void> {
  const { safe, clock } = (await tpm.execute(READ_CLOCK, {})).currentTime.clockInfo;
  if (safe) return;
  const newTime = (clock / NV_INTERVAL + 1n) * NV_INTERVAL;
  await tpm.execute(CLOCK_SET, { auth: RH.owner, newTime });
}
