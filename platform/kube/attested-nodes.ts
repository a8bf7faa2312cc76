import { customResource } from './resources.ts';
import type { KubeObject } from './wire.ts';

/** An attestation key that was certified. */
export interface CertifiedKey {
  /** SHA-256 of the attestation key's SPKI, lower-case hex. */
  readonly spkiSha256: string;
  readonly serial: string;
  /** RFC 3339. */
  readonly notAfter: string;
}

/** How often the TPM was reset (TPM 2.0 Library part 2, 10.11.1), as of its newest quote. */
export interface BootState {
  /** SHA-256 of the endorsement key's SPKI, lower-case hex. */
  readonly ekSha256: string;
  readonly resetCount: number;
}

/** A node and its TPM, written by the certificate service; operators annotate it. */
export interface AttestedNode extends KubeObject {
  spec?: { node: string; ekSha256: string; tpmTrust: 'vendor-root' | 'listed' | 'emulated' };
  /** The attestation keys whose certificates are valid, the one certified last at the end. */
  status?: { attestationKeys?: CertifiedKey[]; boot?: BootState };
}

export const ATTESTED_NODES = customResource<AttestedNode>(
  'enclave-licensing.dev/v1alpha1',
  'AttestedNode',
  'attestednodes',
  false,
);
