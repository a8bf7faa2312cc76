/** Signer names of CertificateSigningRequests, in the scheme of Intel's Trusted Certificate Service. */
const CLUSTER_ISSUER_SIGNER_PREFIX = 'tcsclusterissuer.tcs.intel.com/';

/** Our issuers, which are also the roles of certificates. `attestation-keys` signs by enrolment only, never a CSR. */
export const ISSUERS = ['system', 'enclaves', 'users', 'attestation-keys'] as const;
export type Issuer = (typeof ISSUERS)[number];

export const SIGNERS = {
  system: `${CLUSTER_ISSUER_SIGNER_PREFIX}system`,
  enclaves: `${CLUSTER_ISSUER_SIGNER_PREFIX}enclaves`,
  users: `${CLUSTER_ISSUER_SIGNER_PREFIX}users`,
} as const;
