import { toHex } from '../../../formats/bytes/bytes.ts';
import type { Crypto } from '../../../formats/crypto/crypto.ts';
import {
  parseCertificateRequest,
  verifyRequestSignature,
} from '../../../formats/x509/certificate-request.ts';
import type { RequestChecks } from './request-checks.ts';

const MAX_BYTES = 4096;

/**
 * The SHA-256 (lower-case hex) of the key in a user's PKCS#10 request; what is wrong with the request is added to the checks, and the
 * answer is then empty.
 */
export function requestKeySha256(crypto: Crypto, der: Uint8Array, checks: RequestChecks): string {
  const field = 'certificate_request';
  if (der.length > MAX_BYTES) {
    checks.wrong(field, `must be at most ${MAX_BYTES} bytes`);
    return '';
  }
  const request = parseCertificateRequest(der);
  if (!request.ok) {
    checks.wrong(field, `must be one PKCS#10 request in DER: ${request.message}`);
    return '';
  }
  if (!verifyRequestSignature(crypto, request.value)) {
    checks.wrong(field, 'must be signed by its own key');
    return '';
  }
  return toHex(crypto.hash('sha256', request.value.spki));
}
