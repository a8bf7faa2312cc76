import { SignedTrustDocument } from '../../proto/gen/enclave_licensing/evidence/v1/trust_document.ts';
import { type Result, refuse, success } from '../bytes/result.ts';
import type { EvidenceCode } from './evidence-code.ts';
import { type MessageRule, wireProblem } from './strict-wire.ts';
import { MAX_TRUST_DOCUMENT_BYTES } from './trust-document.ts';

export const MAX_SIGNED_TRUST_DOCUMENT_BYTES = 524_288;

const RULE: MessageRule = new Map([
  [1, { kind: 'bytes', max: MAX_TRUST_DOCUMENT_BYTES }],
  [2, { kind: 'bytes', max: 32 }],
  [3, { kind: 'bytes', max: 128 }],
]);

/** Protobuf of a signed trust document: the body of the agent's `GET /v1/trust`. */
export function encodeSignedTrustDocument(signed: SignedTrustDocument): Uint8Array {
  return SignedTrustDocument.encode(signed).finish();
}

/** Reads one within its bounds (512 KiB in all), unknown fields refused. Whether to believe it: `acceptTrustDocument`. */
export function decodeSignedTrustDocument(bytes: Uint8Array): Result<SignedTrustDocument, EvidenceCode> {
  const remedy = 'take it from the certificate service again';
  if (bytes.length > MAX_SIGNED_TRUST_DOCUMENT_BYTES)
    return refuse('evidence-too-large', `trust document of ${bytes.length} bytes`, remedy);
  const problem = wireProblem(bytes, RULE);
  return problem === undefined
    ? success(SignedTrustDocument.decode(bytes))
    : refuse('evidence-malformed', `trust document: ${problem}`, remedy);
}
