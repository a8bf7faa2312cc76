/**
 * `enclave-licensing/verify`: whether evidence is good, by your policy. Synchronous; it works on `Uint8Array`, and everything comes in
 * as an argument: no network, file, clock, environment or randomness. Hashes and signature checks reach it through `Crypto`: bring your
 * own in a browser; in Node take `nodeCrypto` of `enclave-licensing/client`.
 *
 * Read the bundle with `decodeBundle` or `bundleFromJson` of `enclave-licensing/evidence`, then call `verify`. A refusal is a value with
 * `code`, `message` and `remedy`, never an exception; whatever the bundle holds, `verify` returns a verdict.
 */
export type { Result } from '../../formats/bytes/result.ts';
export type { Crypto, HashAlgorithm, SignatureScheme } from '../../formats/crypto/crypto.ts';
export type { Bundle } from '../../formats/evidence/bundle.ts';
export { parseRoots, type Roots, rootsSha256, rootsToJson } from '../../formats/evidence/roots.ts';
export type { Statement } from '../../formats/evidence/statement.ts';
export { CHECKS, type CheckName, type Explanation } from '../../verify/check-names.ts';
export type { ExpectedNonce, HeldGrant, VerifyContext } from '../../verify/context.ts';
export { formatPolicy } from '../../verify/policy/format-policy.ts';
export { type PolicyCode, parsePolicy } from '../../verify/policy/parse-policy.ts';
export type { Accepted, PcrPolicy, PcrSet, Policy } from '../../verify/policy/policy.ts';
export type { Check, TpmSeen, Verdict } from '../../verify/verdict.ts';
export { verify } from '../../verify/verify.ts';
export { VerifyCache } from '../../verify/verify-cache.ts';
export type { VerifyCode } from '../../verify/verify-code.ts';
