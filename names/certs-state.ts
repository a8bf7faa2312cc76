import { binaryName } from './components.ts';
import type { Issuer } from './signers.ts';

/**
 * Secrets of the release namespace in which the certificate service keeps what makes the cluster's identity. Whoever reads those of the issuers can sign as the
 * cluster.
 */
export function issuerSecret(issuer: Issuer): string {
  return `${binaryName('certs')}-issuer-${issuer}`;
}
export const ISSUER_SECRET_TYPE = 'enclave-licensing.dev/issuer';

export const TRUST_STATE_SECRET = `${binaryName('certs')}-trust-state`;
export const TRUST_STATE_SECRET_TYPE = 'enclave-licensing.dev/trust-state';

/** On the pod of the certificate service that leads, and on no other: the Service selects by it. */
export const LEADER_LABEL = 'enclave-certs-leader';
