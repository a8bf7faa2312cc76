import { toBase64url } from '../../formats/bytes/base64.ts';
import { equal } from '../../formats/bytes/bytes.ts';
import type { Crypto } from '../../formats/crypto/crypto.ts';
import { decodeBundle } from '../../formats/evidence/bundle.ts';
import type { Roots } from '../../formats/evidence/roots.ts';
import { parseStatement, type StatementConfirmation } from '../../formats/evidence/statement.ts';
import type { Certificate } from '../../formats/x509/certificate.ts';
import {
  type CertificateRequest,
  parseCertificateRequest,
  verifyRequestSignature,
} from '../../formats/x509/certificate-request.ts';
import { publicKeyKind } from '../../formats/x509/public-key.ts';
import { verifyChain } from '../../verify/certificate-chain.ts';
import type { Claims } from '../caller/caller.ts';
import { type AgentCode, type AgentResult, refuseCall } from '../code.ts';

const KEY_KINDS: readonly (string | undefined)[] = ['p256', 'p384'];

function noRequest(message: string) {
  return refuseCall('certificate-request', message, 'make a new key and request');
}

/** A request whose sender holds the key, which is one of a kind that enclaves have. Pure. */
export function judgeRequest(crypto: Crypto, der: Uint8Array): AgentResult<CertificateRequest> {
  const request = parseCertificateRequest(der);
  if (!request.ok) return noRequest(request.message);
  if (!KEY_KINDS.includes(publicKeyKind(request.value.spki)))
    return noRequest('the key is not P-256 or P-384');
  if (!verifyRequestSignature(crypto, request.value))
    return noRequest("the request's signature does not verify");
  return request;
}

/** `spki#S256` of a request's key. */
export function confirmKey(crypto: Crypto, spki: Uint8Array): StatementConfirmation {
  return { 'spki#S256': toBase64url(crypto.hash('sha256', spki)) };
}

/** `x5t#S256` of a certificate (RFC 8705, 3.1). */
export function confirmCertificate(crypto: Crypto, der: Uint8Array): StatementConfirmation {
  return { 'x5t#S256': toBase64url(crypto.hash('sha256', der)) };
}

/**
 * Whether a request holds evidence over its own key and this pod: what an agent of this node made. The certificate service
 * verifies the evidence; this keeps what it would refuse from becoming an object. Pure.
 */
export function judgeEvidence(
  crypto: Crypto,
  request: CertificateRequest,
  claims: Claims,
): AgentResult<undefined> {
  const { evidence } = request.attributes;
  if (evidence === undefined) return noRequest('the request holds no evidence: prove comes first');
  const bundle = decodeBundle(evidence);
  if (!bundle.ok) return noRequest(bundle.message);
  const statement = parseStatement(bundle.value.statement);
  if (!statement.ok) return noRequest(statement.message);
  if (JSON.stringify(statement.value.cnf) !== JSON.stringify(confirmKey(crypto, request.spki)))
    return noRequest('the evidence is over another key than the request');
  if (statement.value.pod.uid !== claims.pod.uid) return noRequest('the evidence is about another pod');
  return { ok: true, value: undefined };
}

/**
 * Whether a chain is a certificate that one of our issuers made for this pod, and its request proves that the sender holds the
 * certified key. Pure.
 * @param now unix seconds
 */
export function judgeCertificate(
  crypto: Crypto,
  shown: { readonly chain: readonly Uint8Array[]; readonly request: Uint8Array },
  claims: Claims,
  roots: Roots,
  now: number,
): AgentResult<Certificate> {
  const no = (code: AgentCode, message: string) =>
    refuseCall(code, message, 'get a certificate from this agent (prove, certify)');
  const leaf = verifyChain(crypto, shown.chain, { roots, role: 'enclaves', now });
  if (!leaf.ok)
    return no(
      leaf.code === 'chain-expired' ? 'certificate-ended' : 'certificate-issuer',
      `${leaf.message} (${leaf.code})`,
    );
  const certificate = leaf.value;
  const request = judgeRequest(crypto, shown.request);
  if (!request.ok) return no('certificate-key', request.message);
  if (!equal(certificate.spki, request.value.spki))
    return no('certificate-key', 'certificate and request hold different keys');
  const { enclaveBinding: binding } = certificate.extensions;
  const { pod, access } = claims;
  if (
    binding?.podUid !== pod.uid ||
    binding.enclave !== pod.enclave ||
    binding.node !== pod.node ||
    binding.ownerKeySha256 !== access.ownerKeySha256
  )
    return no('certificate-pod', 'the certificate is for another pod, enclave, node or owner');
  return { ok: true, value: certificate };
}
