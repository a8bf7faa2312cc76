import { toHex } from '../../../formats/bytes/bytes.ts';
import type { Bundle } from '../../../formats/evidence/bundle.ts';
import { parseStatement } from '../../../formats/evidence/statement.ts';
import { HASHES } from '../../../formats/tpm/algorithms.ts';
import type { TpmTrust } from '../../../formats/x509/bindings.ts';
import { parseCertificate } from '../../../formats/x509/certificate.ts';
import type { Issuer } from '../../../names/signers.ts';
import { nodeCrypto } from '../../../platform/crypto/node-crypto.ts';
import { verifyChain } from '../../../verify/certificate-chain.ts';
import { ANYTHING } from '../../../verify/policy/anything.ts';
import type { PcrPolicy, Policy } from '../../../verify/policy/policy.ts';
import type { Verdict } from '../../../verify/verdict.ts';
import { attest } from '../evidence/attest.ts';
import type { Trust } from '../trust/trust.ts';

/** What a bundle proves, in the words of a policy: every value of it, and no other, accepted. */
export interface Observation {
  readonly ok: true;
  /** `ownerKeys` is any where the pod has no owner key; `maxAge` is the longest: neither is in a bundle. */
  readonly policy: Policy;
  /** How the node's TPM was trusted. */
  readonly tpm: TpmTrust['how'];
  /** Unix seconds. */
  readonly madeAt: number;
}

/** When a bundle says that it was made; unverified, to choose the time that an old bundle is judged at. */
export function madeAt(bundle: Bundle): number | undefined {
  const statement = parseStatement(bundle.statement);
  return statement.ok ? statement.value.iat : undefined;
}

/**
 * Verifies all of a bundle that no policy is needed for, and reads off the values that a policy is about. A bundle that does not hold in
 * itself says nothing: its verdict comes back.
 * @param at Unix seconds: the time at which it is judged
 */
export function observe(
  bundle: Bundle,
  trust: Trust,
  at: number,
): Observation | { readonly ok: false; readonly verdict: Verdict } {
  const verdict = attest(bundle, { policy: ANYTHING, trust, nonce: 'unchecked', now: at });
  const { statement } = verdict;
  const [certificate = new Uint8Array(0)] = bundle.attestationKeyCertificateChain;
  const key = parseCertificate(certificate);
  const tpm = key.ok ? key.value.extensions.tpmTrust : undefined;
  const pcrs = pcrsOf(bundle);
  if (!verdict.ok || !statement || !tpm || !pcrs) return { ok: false, verdict };
  const { pod, access } = statement;
  const unique = (values: readonly string[]) => [...new Set(values)];
  return {
    ok: true,
    tpm: tpm.how,
    madeAt: statement.iat,
    policy: {
      allowEmulatedTpm: tpm.how === 'emulated',
      eks: [tpm.ekSha256],
      pcrs,
      roots: unique([
        ...rootsOf(bundle.certificateChain, 'enclaves', trust, at),
        ...rootsOf(bundle.attestationKeyCertificateChain, 'attestation-keys', trust, at),
      ]),
      namespaces: [pod.namespace],
      serviceAccounts: [pod.serviceAccount],
      enclaves: [pod.enclave],
      images: unique(pod.images.map(({ image }) => image)),
      specSha256: [pod.specSha256],
      modes: [access.mode],
      auth: [access.auth],
      upstream: [access.upstream],
      ownerKeys: access.ownerKeySha256 === undefined ? 'any' : [access.ownerKeySha256],
      maxAge: ANYTHING.maxAge,
    },
  };
}

/** The signed selection's values, as one set. */
function pcrsOf({ pcrValues }: Bundle): PcrPolicy | undefined {
  const hash = (['sha256', 'sha384'] as const).find((name) => HASHES[name] === pcrValues?.hashAlgorithm);
  if (pcrValues === undefined || hash === undefined || pcrValues.values.length === 0) return undefined;
  const values = new Map(pcrValues.values.map(({ index, digest }) => [index, [toHex(digest)]]));
  return { hash, sets: [{ name: 'seen', values }] };
}

/** Fingerprints of the roots that the chain ends in, of those that are held. */
function rootsOf(chain: readonly Uint8Array[], role: Issuer, { roots }: Trust, now: number): string[] {
  const fingerprints = roots[role].map((der) => toHex(nodeCrypto.hash('sha256', der)));
  return fingerprints.filter(
    (root) => verifyChain(nodeCrypto, chain, { roots, role, now, acceptedRoots: [root] }).ok,
  );
}
