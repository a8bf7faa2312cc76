import type { Crypto } from '../formats/crypto/crypto.ts';
import type { Roots } from '../formats/evidence/roots.ts';
import type { PcrSelection } from '../formats/evidence/trust-document.ts';
import type { TpmSeen } from './verdict.ts';
import type { VerifyCache } from './verify-cache.ts';

/**
 * What makes evidence fresh: the verifier's own challenge, the epochs that are good now, or, for evidence that is
 * read later (an auditor's), the word `unchecked`, which the verdict then shows.
 */
export type ExpectedNonce = Uint8Array | { readonly epochs: readonly Uint8Array[] } | 'unchecked';

/** What every verification of evidence needs besides evidence and policy. Nothing is read from anywhere else. */
export interface EvidenceContext {
  readonly crypto: Crypto;
  /** Unix seconds. */
  readonly now: number;
  readonly trust: Roots;
  /** The cluster's; without it a policy that accepts any PCR values asks for no particular selection. */
  readonly pcrSelection?: PcrSelection | undefined;
  /** What was remembered of nodes' TPMs. */
  readonly seen?: readonly TpmSeen[] | undefined;
  /** `rootsSha256` of the sets that a sidecar may have started with; by default that of `trust`. */
  readonly rootSets?: readonly string[] | undefined;
  readonly cache?: VerifyCache | undefined;
}

/** A grant as it was signed, for the verifier's own key. */
export interface HeldGrant {
  /** UTF-8 JSON. */
  readonly grant: Uint8Array;
  /** ECDSA with SHA-256, DER. */
  readonly signature: Uint8Array;
}

/** What verifying an enclave's bundle needs besides bundle and policy. */
export interface VerifyContext extends EvidenceContext {
  readonly nonce: ExpectedNonce;
  /**
   * DER of the certificate that the peer presented on this connection; empty when it presented none, as on a resumed
   * session. Leave the member out when no connection is judged: `undefined` counts as empty.
   */
  readonly liveCertificate?: Uint8Array;
  /**
   * Lower-case hex SHA-256 of the verifier's own key. Leave the member out to have the policy's owner keys count:
   * `undefined` is nobody's key.
   */
  readonly ownerKeySha256?: string;
  /** When the verifier's key is not the owner's. */
  readonly grant?: HeldGrant | undefined;
}

export interface RequestContext extends EvidenceContext {
  /** Current and previous epoch. */
  readonly epochs: readonly Uint8Array[];
  /** SubjectPublicKeyInfo of the request, DER. */
  readonly spki: Uint8Array;
}
