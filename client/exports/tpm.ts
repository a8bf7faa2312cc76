/**
 * `enclave-licensing/tpm`: structures of the TPM 2.0 Library specification, part 2, as far as attestation needs them. Pure, synchronous,
 * on `Uint8Array`. Reading is total: a structure that is malformed, or followed by more bytes, is a refusal whose message names the
 * field; what is read re-encodes to the same bytes.
 */
export type { Result } from '../../formats/bytes/result.ts';
export type { Crypto } from '../../formats/crypto/crypto.ts';
export type { TpmCurve, TpmHash } from '../../formats/tpm/algorithms.ts';
export { type Attest, decodeAttest, encodeAttest, type QuoteInfo } from '../../formats/tpm/attest.ts';
export type { TpmFormatCode } from '../../formats/tpm/decode.ts';
export {
  decodePcrSelection,
  encodePcrSelection,
  type PcrBankSelection,
  type PcrSelection,
  selectedPcrs,
  selectPcrs,
} from '../../formats/tpm/pcr-selection.ts';
export {
  decodePublic,
  encodePublic,
  type ObjectAttributes,
  objectName,
  type Public,
  primaryQualifiedName,
  publicToSpki,
} from '../../formats/tpm/public.ts';
export { explainResponseCode } from '../../formats/tpm/response-codes.ts';
export {
  decodeSignature,
  encodeSignature,
  type Signature,
  signatureToScheme,
} from '../../formats/tpm/signature.ts';
