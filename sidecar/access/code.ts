import { type Refusal, refuse } from '../../formats/bytes/result.ts';

/** What a person can do about each reason for which a connection, or a request, is refused (docs/sidecar.md lists them). */
export const ACCESS_REMEDIES = {
  'session-resumed': 'Connect without session resumption.',
  'certificate-missing': 'Get a certificate for this enclave with "enclavectl certificate", and show it.',
  'certificate-malformed': 'Get a certificate for this enclave with "enclavectl certificate".',
  'certificate-untrusted': 'Get a certificate for this enclave with "enclavectl certificate".',
  'certificate-wrong-role': 'Show the certificate that "enclavectl certificate" gets, and no other.',
  'certificate-not-yet-valid': 'Compare the clocks of this machine and of the cluster.',
  'certificate-expired': 'Renew it with "enclavectl certificate".',
  'enclave-mismatch': 'Get a certificate for this enclave with "enclavectl certificate".',
  'enclave-revoked':
    'Do not use this pod: it is no longer what it was certified as. Ask the operator, or launch another.',
  'key-not-owner': 'Ask the owner of the enclave for a grant ("enclavectl grant").',
  'grant-invalid': 'Ask the owner of the enclave for another grant ("enclavectl grant").',
  'grant-expired': 'Ask the owner of the enclave for another grant ("enclavectl grant").',
  'grant-revoked':
    'Ask the owner of the enclave. A new grant is for a new key: "enclavectl key --new --replace".',
  'user-revoked': 'Ask the operator.',
  'trust-document-missing':
    'Try again: the enclave waits for the certificate service, by way of its node’s agent.',
  'trust-document-stale':
    'Try again: the enclave waits for the certificate service, by way of its node’s agent.',
  'too-many-connections': 'Close connections that are not needed, or try again later.',
  'token-missing':
    'Get a token for this enclave from front, and send it as "authorization: Bearer" or "x-enclave-token".',
  'token-invalid':
    'Get another token for this enclave from front, and send it as "authorization: Bearer" or "x-enclave-token".',
} as const satisfies Readonly<Record<string, string>>;

/** Why a connection, or a request, is refused. Also the label of the metric `refusals_total`. */
export type AccessCode = keyof typeof ACCESS_REMEDIES;

export function refuseAccess(code: AccessCode, message: string): Refusal<AccessCode> {
  return refuse(code, message, ACCESS_REMEDIES[code]);
}
