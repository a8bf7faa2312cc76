import { type Refusal, refuse } from '../formats/bytes/result.ts';

/** Every reason for which the certificate service refuses something. */
export type CertsCode =
  /** The request is no PKCS#10 in PEM that our strict reader takes. */
  | 'request-malformed'
  | 'request-signature'
  | 'request-key'
  /** It asks for what its role does not list: an extension, a subject, an attribute. */
  | 'request-content'
  | 'request-usages'
  /** The object's name is not the one that its role has. */
  | 'request-object-name'
  | 'signer-unknown'
  | 'requester-unknown'
  | 'requester-node'
  | 'names-differ'
  | 'lifetime'
  /** The API server takes no such certificate, whatever we think of it. */
  | 'certificate-rejected'
  | 'evidence-missing'
  | 'evidence-refused'
  | 'node-unbound'
  | 'pod-missing'
  | 'pod-ended'
  | 'pod-node'
  | 'pod-sidecar'
  | 'pod-differs'
  | 'roots-unknown'
  | 'annotation-missing'
  | 'annotation-invalid'
  | 'enclave-unknown'
  | 'owner-key'
  | 'grant-refused'
  | 'revoked'
  // Enrolment
  | 'token-refused'
  | 'enrolment-sequence'
  | 'enrolment-busy'
  | 'ek-malformed'
  | 'ek-attributes'
  | 'ek-certificate'
  | 'ek-untrusted'
  | 'ak-malformed'
  | 'ak-attributes'
  | 'activation-failed'
  | 'ek-of-another-node'
  | 'node-has-another-ek'
  // Trust service
  | 'caller-unknown'
  | 'caller-role'
  | 'revocation-invalid'
  | 'revocation-foreign'
  | 'revocations-full'
  | 'token-keys-invalid';

export type CertsRefusal = Refusal<CertsCode>;

export function refuseCerts(code: CertsCode, message: string, remedy: string): CertsRefusal {
  return refuse(code, message, remedy);
}
