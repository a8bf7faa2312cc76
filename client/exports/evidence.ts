/**
 * `enclave-licensing/evidence`: the formats of evidence, read strictly and written (docs/evidence-format.md): the bundle, the statement inside
 * it, the batch tree between statement and quote, roots.json, the trust document, a grant. Pure, synchronous, on `Uint8Array`. Reading is
 * total: what is malformed is a refusal `{ok: false, code, message, remedy}`, and what is read re-encodes to the same bytes. Reading
 * believes nothing: `verify` of `enclave-licensing/verify` judges.
 */
export type { Result } from '../../formats/bytes/result.ts';
export type { Crypto } from '../../formats/crypto/crypto.ts';
export {
  type BatchTree,
  batchTree,
  leafHash,
  MAX_BATCH_LEAVES,
  pathLength,
  qualifyingData,
  rootFromPath,
} from '../../formats/evidence/batch.ts';
export {
  type Bundle,
  bundleFromJson,
  bundleToJson,
  decodeBundle,
  encodeBundle,
  MAX_BUNDLE_BYTES,
} from '../../formats/evidence/bundle.ts';
export type { EvidenceCode } from '../../formats/evidence/evidence-code.ts';
export { type Grant, openGrant, parseGrant } from '../../formats/evidence/grant.ts';
export { parseRoots, type Roots, rootsSha256, rootsToJson } from '../../formats/evidence/roots.ts';
export { decodeSignedTrustDocument } from '../../formats/evidence/signed-trust-document.ts';
export { parseSpiffeId, type SpiffeId } from '../../formats/evidence/spiffe-id.ts';
export {
  parseStatement,
  type Statement,
  type StatementAccess,
  type StatementConfirmation,
  type StatementImage,
  type StatementPod,
} from '../../formats/evidence/statement.ts';
export {
  acceptTrustDocument,
  type HeldTrust,
  type PcrSelection,
  parseTrustDocument,
  type SignedTrustDocument,
  type TrustDocument,
} from '../../formats/evidence/trust-document.ts';
