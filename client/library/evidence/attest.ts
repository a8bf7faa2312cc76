import type { Bundle } from '../../../formats/evidence/bundle.ts';
import { nodeCrypto } from '../../../platform/crypto/node-crypto.ts';
import type { ExpectedNonce, HeldGrant } from '../../../verify/context.ts';
import type { Policy } from '../../../verify/policy/policy.ts';
import type { TpmSeen, Verdict } from '../../../verify/verdict.ts';
import { verify } from '../../../verify/verify.ts';
import type { Trust } from '../trust/trust.ts';

/** What a bundle is judged by, besides what it says itself. */
export interface Expectation {
  readonly policy: Policy;
  readonly trust: Trust;
  readonly nonce: ExpectedNonce;
  /** Unix seconds. */
  readonly now: number;
  readonly ownerKeySha256?: string;
  readonly grant?: HeldGrant;
  /** The enclave that was launched or is meant; narrows the policy. */
  readonly enclave?: string;
  /** Computed offline; narrows a policy that says `any`. */
  readonly specSha256?: readonly string[];
  readonly liveCertificate?: Uint8Array;
  readonly seen?: readonly TpmSeen[];
}

/** Verifies a bundle by the user's policy, narrowed to what the user launched: a policy that says `any` does not mean any enclave but ours. */
export function attest(bundle: Bundle, expected: Expectation): Verdict {
  const { trust, enclave, specSha256 } = expected;
  const policy: Policy = {
    ...expected.policy,
    ...(enclave !== undefined && expected.policy.enclaves === 'any' && { enclaves: [enclave] }),
    ...(enclave !== undefined &&
      expected.policy.enclaves !== 'any' && {
        enclaves: expected.policy.enclaves.filter((id) => id === enclave),
      }),
    ...(specSha256 !== undefined && expected.policy.specSha256 === 'any' && { specSha256 }),
  };
  return verify(bundle, policy, {
    crypto: nodeCrypto,
    now: expected.now,
    trust: trust.roots,
    rootSets: trust.rootSets,
    nonce: expected.nonce,
    ...(trust.pcrSelection && { pcrSelection: trust.pcrSelection }),
    // What is there without a value stays there: verify refuses it.
    ...('liveCertificate' in expected && { liveCertificate: expected.liveCertificate }),
    ...('ownerKeySha256' in expected && { ownerKeySha256: expected.ownerKeySha256 }),
    ...(expected.grant && { grant: expected.grant }),
    ...(expected.seen && { seen: expected.seen }),
  });
}
