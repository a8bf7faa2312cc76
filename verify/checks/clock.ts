import { fails, holds, notRun, type Outcome } from '../check-log.ts';
import { goesOn, stateText } from '../tpm-state.ts';
import type { TpmSeen } from '../verdict.ts';
import type { AttestationKey } from './attestation-key.ts';
import type { CertifiedKey } from './certificate-chains.ts';
import type { Quote } from './quote-signature.ts';
import type { Freshness } from './statement.ts';

/**
 * The node has the TPM that it had before, and that TPM was not another node's; a new attestation key in it is no news. Hands on what was seen of
 * this TPM: its clock is one, whichever of its attestation keys signed.
 */
export function checkKnownTpm(key: CertifiedKey, seen: readonly TpmSeen[]): Outcome<readonly TpmSeen[]> {
  const { ekSha256 } = key.tpm;
  const before = seen.filter((each) => each.node === key.node || each.ekSha256 === ekSha256);
  if (before.length === 0)
    return notRun([], 'none seen', ekSha256, `the node ${key.node} was not seen before`);
  const other = before.find((each) => each.node !== key.node || each.ekSha256 !== ekSha256);
  const said = (node: string, ek: string) => `${ek} in ${node}`;
  return other === undefined
    ? holds(before, ekSha256)
    : fails('node-other-tpm', said(other.node, other.ekSha256), said(key.node, ekSha256));
}

/**
 * (resetCount, restartCount, clock) against what was seen, left to right; the clock counts only within one reset
 * count. A clock that a power loss may have set back (`safe` is NO) passes only with a fresh nonce and a higher
 * reset count. Returns what to remember.
 */
export function checkClock(
  quote: Quote,
  certified: CertifiedKey,
  key: AttestationKey,
  seen: readonly TpmSeen[],
  freshness: Freshness,
): Outcome<TpmSeen> {
  const { resetCount, restartCount, safe } = quote.attest.clockInfo;
  const clock = Number(quote.attest.clockInfo.clock);
  const now: TpmSeen = {
    node: certified.node,
    ekSha256: certified.tpm.ekSha256,
    akName: key.name,
    resetCount,
    restartCount,
    clock,
  };
  const behind = seen.find((each) => !goesOn(each, now));
  const before = behind ?? seen.at(-1);
  const expected = before ? `not before ${stateText(before)}, safe = YES` : 'any count, safe = YES';
  const actual = () => `${stateText(now)}, safe = ${safe ? 'YES' : 'NO'}`;
  if (behind) return fails('clock-went-back', expected, actual());
  const rebooted = before !== undefined && seen.every((each) => each.resetCount < resetCount);
  if (!safe && !(rebooted && freshness !== 'unchecked'))
    return fails('clock-unsafe', 'safe = YES, or a fresh nonce and a higher reset count', actual());
  if (!Number.isSafeInteger(clock)) return fails('clock-went-back', 'a clock of less than 2^53 ms', actual());
  return holds(
    now,
    expected,
    actual,
    safe ? undefined : 'the TPM lost power; its clock may have been set back',
  );
}
