import { toBase64 } from '../../formats/bytes/base64.ts';
import { buildCertificateRequest } from '../../formats/x509/certificate-request.ts';
import { encodePem } from '../../formats/x509/pem.ts';
import { SIGNERS } from '../../names/signers.ts';
import { generateKey } from '../../platform/identity/key-pair.ts';

/** PKCS#10 DER over a new key of mallory's. */
export function newRequest(): Uint8Array {
  const { spki, sign, scheme } = generateKey();
  return buildCertificateRequest({ spki }, sign, scheme);
}

/** A CertificateSigningRequest of mallory's. */
export function certificateRequest(
  signerName: string,
  der: Uint8Array,
  annotations: Readonly<Record<string, string>> = {},
): object {
  const pem = encodePem('CERTIFICATE REQUEST', der);
  return {
    apiVersion: 'certificates.k8s.io/v1',
    kind: 'CertificateSigningRequest',
    metadata: { generateName: 'mallory-', annotations },
    spec: {
      signerName,
      request: toBase64(new TextEncoder().encode(pem)),
      usages: ['digital signature', signerName === SIGNERS.users ? 'client auth' : 'server auth'],
    },
  };
}
