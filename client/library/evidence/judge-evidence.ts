import { randomBytes } from 'node:crypto';
import type { Bundle } from '../../../formats/evidence/bundle.ts';
import type { TpmSeen, Verdict } from '../../../verify/verdict.ts';
import { type NodeMemory, type RefusedTpm, type Sight, seenTpms } from '../../state/node-memory.ts';
import type { TrustStore } from '../../state/trust-store.ts';
import type { Notice } from '../trust/notice.ts';
import { attest, type Expectation } from './attest.ts';

/** A question to an enclave: a nonce that was never used, and what was seen before it was made. */
export interface Challenge {
  /** 32 bytes. */
  readonly nonce: Uint8Array;
  readonly seen: readonly TpmSeen[];
}

/** A verdict, and what it means against what was seen before. */
export interface Judgement {
  readonly verdict: Verdict;
  /** Of a good verdict: what is new about the node. */
  readonly notices: readonly Notice[];
  /** Refused for what was seen before, and for nothing else: the user may accept it. */
  readonly acceptable?: RefusedTpm;
}

/**
 * What was seen is read before the nonce exists: then a quote that has the nonce in it was made later than all of it, and no other connection's verdict in between makes an
 * honest TPM look as if it went back.
 * @throws Failure when the memory is damaged
 */
export function challenge(store: TrustStore): Challenge {
  const seen = seenTpms(store.nodes());
  return { seen, nonce: new Uint8Array(randomBytes(32)) };
}

/** Verifies the answer to a challenge and remembers what it showed of the node's TPM. */
export async function judgeEvidence(
  bundle: Bundle,
  { nonce, seen }: Challenge,
  expected: Omit<Expectation, 'nonce' | 'seen'>,
  store: TrustStore,
): Promise<Judgement> {
  const verdict = attest(bundle, { ...expected, nonce, seen });
  if (verdict.ok) {
    const tpm = verdict.remember;
    if (tpm === undefined) return { verdict, notices: [] };
    const before = store.nodes();
    const sights = await store.remember(tpm, expected.now);
    return { verdict, notices: sights.map((code) => ({ code, message: sightText(code, tpm, before) })) };
  }
  const { code } = verdict;
  const failed = verdict.checks.filter(({ ok }) => ok === false);
  if ((code !== 'node-other-tpm' && code !== 'clock-went-back') || failed.length !== 1)
    return { verdict, notices: [] };
  // All but the memory speaks for it? Then it can be accepted, and exactly this.
  const { remember } = attest(bundle, { ...expected, nonce, seen: [] });
  if (remember === undefined) return { verdict, notices: [] };
  const acceptable: RefusedTpm = { ...remember, code, refusedAt: expected.now };
  await store.refuse(acceptable);
  return { verdict, notices: [], acceptable };
}

function sightText(code: Sight, { node, ekSha256, akName, resetCount }: TpmSeen, before: NodeMemory): string {
  const known = before.nodes.find((each) => each.node === node);
  switch (code) {
    case 'node-new':
      return `the node ${node} is seen for the first time; its TPM has the endorsement key ${ekSha256}`;
    case 'attestation-key-new':
      return `the node ${node} has a new attestation key, ${akName}, in the same TPM`;
    case 'node-restarted':
      return `the node ${node} was restarted since it was last seen: its TPM's reset count went from ${known?.resetCount ?? 'an earlier one'} to ${resetCount}`;
  }
}
