import { expect } from 'vitest';
import { verify } from '../../verify/verify.ts';
import { VerifyCache } from '../../verify/verify-cache.ts';
import { WORK_BOUND } from '../../verify/work-bound.ts';
import { bitFlips } from './bit-flips.ts';
import { countingCrypto } from './counting-crypto.ts';
import { type Changes, fixture } from './evidence.ts';

/** A flip in a chain must be noticed by that chain's own check, though others would notice it too. */
const OWN_CHECK: Readonly<Record<string, string>> = {
  certificateChain: 'certificate-chain',
  attestationKeyCertificateChain: 'attestation-key-chain',
};

/**
 * Expects that every bit flip of a bundle is refused within the bound of work.
 * @returns how many were tried
 */
export function tryBitFlips(changes: Changes): number {
  const made = fixture({ neighbours: 4, index: 1, ...changes });
  const crypto = countingCrypto();
  // What never changes is remembered, so that tens of thousands of flips stay short.
  const context = { ...made.context, crypto, cache: new VerifyCache() };
  expect(verify(made.bundle, made.policy, context).checks.filter(({ ok }) => ok === false)).toEqual([]);
  const missed: string[] = [];
  const most = { hashes: 0, signatures: 0 };
  let tried = 0;
  for (const { member, bit, bundle } of bitFlips(made.bundle)) {
    crypto.reset();
    const { ok, checks } = verify(bundle, made.policy, context);
    tried++;
    most.hashes = Math.max(most.hashes, crypto.asked.hashes);
    most.signatures = Math.max(most.signatures, crypto.asked.signatures);
    const own = OWN_CHECK[member];
    if (ok || (own !== undefined && checks.find(({ name }) => name === own)?.ok !== false))
      missed.push(`${member} bit ${bit}`);
  }
  expect(missed).toEqual([]);
  expect(most.hashes).toBeLessThanOrEqual(WORK_BOUND.hashes);
  expect(most.signatures).toBeLessThanOrEqual(WORK_BOUND.signatures);
  return tried;
}
