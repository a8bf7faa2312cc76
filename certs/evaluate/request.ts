import { fromBase64 } from '../../formats/bytes/base64.ts';
import { fromUtf8 } from '../../formats/bytes/bytes.ts';
import { type Result, success } from '../../formats/bytes/result.ts';
import type { Crypto } from '../../formats/crypto/crypto.ts';
import {
  type CertificateRequest,
  parseCertificateRequest,
  verifyRequestSignature,
} from '../../formats/x509/certificate-request.ts';
import { decodePem } from '../../formats/x509/pem.ts';
import { publicKeyKind } from '../../formats/x509/public-key.ts';
import { SIGNERS } from '../../names/signers.ts';
import { type CertsCode, refuseCerts } from '../code.ts';

/** The issuers that sign CSR objects. `attestation-keys` is none of them. */
export type RequestIssuer = keyof typeof SIGNERS;

/** The part of a CertificateSigningRequest (certificates.k8s.io/v1) that is judged. */
export interface RequestObject {
  readonly name: string;
  readonly annotations: Readonly<Record<string, string>>;
  readonly signerName: string;
  /** Who created the object, as the API server wrote it. */
  readonly username: string;
  readonly extra: Readonly<Record<string, readonly string[]>>;
  readonly usages: readonly string[];
  readonly expirationSeconds?: number | undefined;
  /** `spec.request`: base64 of PEM. */
  readonly request: string;
}

/** A request that any of our issuers may go on to judge: read strictly, its signature and key checked. */
export interface ReadRequest {
  readonly object: RequestObject;
  readonly csr: CertificateRequest;
}

const ISSUER_OF: ReadonlyMap<string, RequestIssuer> = new Map(
  (Object.keys(SIGNERS) as RequestIssuer[]).map((issuer) => [SIGNERS[issuer], issuer]),
);

/** Which of our issuers a request is for; undefined: it is none of our business. */
export function issuerOf(signerName: string): RequestIssuer | undefined {
  return ISSUER_OF.get(signerName);
}

/** What holds for every request: one PEM block, strict PKCS#10, the requester's own signature, P-256 or P-384. */
export function readRequest(crypto: Crypto, object: RequestObject): Result<ReadRequest, CertsCode> {
  const bytes = fromBase64(object.request);
  const pem = bytes && fromUtf8(bytes);
  const blocks = pem === undefined ? undefined : decodePem('CERTIFICATE REQUEST', pem);
  const [der, ...rest] = blocks?.ok ? blocks.value : [];
  if (der === undefined || rest.length > 0)
    return refuseCerts(
      'request-malformed',
      'spec.request is not base64 of exactly one PEM block of a certificate request',
      'send one CERTIFICATE REQUEST',
    );
  const parsed = parseCertificateRequest(der);
  if (!parsed.ok) return refuseCerts('request-malformed', parsed.message, parsed.remedy);
  const csr = parsed.value;
  const kind = publicKeyKind(csr.spki);
  if (kind !== 'p256' && kind !== 'p384')
    return refuseCerts(
      'request-key',
      `the key is ${kind ?? 'of an unknown kind'}`,
      'use a P-256 or P-384 key',
    );
  if (!verifyRequestSignature(crypto, csr))
    return refuseCerts(
      'request-signature',
      'the request is not signed by the key that it names',
      'sign the request with that key',
    );
  return success({ object, csr });
}
