/** Why a connection, or a request, is refused. Also the label of the metric `refusals_total`. */
const ACCESS_CODES = [
  'session-resumed',
  'certificate-missing',
  'certificate-malformed',
  'certificate-untrusted',
  'certificate-wrong-role',
  'certificate-not-yet-valid',
  'certificate-expired',
  'enclave-mismatch',
  'key-not-owner',
  'grant-invalid',
  'grant-expired',
  'grant-revoked',
  'user-revoked',
  'trust-document-missing',
  'trust-document-stale',
  'token-missing',
  'token-invalid',
] as const;
export type AccessCode = (typeof ACCESS_CODES)[number];
