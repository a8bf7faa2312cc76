import { equal, toHex } from '../../formats/bytes/bytes.ts';
import type { Attest } from '../../formats/tpm/attest.ts';
import { goesOn, stateText, type TpmState } from '../../verify/tpm-state.ts';

/** What a TPM showed when it was set up. */
export interface TpmSight {
  /** Name of the attestation key. */
  readonly name: Uint8Array;
  readonly clockInfo: Attest['clockInfo'];
}

/**
 * Why a TPM is not the one it was: a sentence for the log, undefined when all is well. TPM2_Clear sets clock and counts to zero and evicts
 * the keys (TPM 2.0 Library part 3, 24.6); another endorsement seed (24.7) or another TPM has other keys.
 */
export function whatChanged(before: TpmSight, now: TpmSight): string | undefined {
  const other = !equal(before.name, now.name);
  const [then, since] = [stateOf(before), stateOf(now)];
  const back = !goesOn(then, since);
  if (!other && !back) return undefined;
  const seen = [
    ...(other ? [`its attestation key is another (name ${toHex(now.name)})`] : []),
    ...(back ? [`its clock went back from (${stateText(then)}) to (${stateText(since)})`] : []),
  ];
  return (
    `the TPM was cleared or replaced: ${seen.join(', ')}. Who did not mean to do that looks at this machine. The key is enrolled ` +
    'by itself as long as the endorsement key is the same; else an operator says so: enclavectl admin nodes release NODE. Clients that ' +
    'saw this node before refuse its evidence until their users accept the change'
  );
}

function stateOf({ clockInfo }: TpmSight): TpmState {
  return { ...clockInfo, clock: Number(clockInfo.clock) };
}
