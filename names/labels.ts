/** Labels and annotations. The prefix is reserved: only the webhook, the launcher and (for some) workload authors set them. */
export const LABEL_PREFIX = 'enclave-licensing.dev/';

/** On a namespace: `enabled` makes the webhook look at its pods. */
export const INJECTION_LABEL = `${LABEL_PREFIX}injection`;
/** On a launched pod: the enclave's id. Only the launcher's service account may set it. */
export const ENCLAVE_LABEL = `${LABEL_PREFIX}enclave`;
/** On a self-deployed pod: `enabled`. */
export const INJECT_LABEL = `${LABEL_PREFIX}inject`;
export const ENABLED = 'enabled';
/** On what the webhook's keeper made: without it the keeper takes an object for somebody else's. */
export const MANAGED_LABEL = `${LABEL_PREFIX}managed-by`;

/** On launched pods, with the value after it: what the headless Service of their names selects by. */
export const MANAGED_BY_LABEL = 'app.kubernetes.io/managed-by';
export const LAUNCHED = 'enclave-launcher';

export const ANNOTATIONS = {
  upstream: `${LABEL_PREFIX}upstream`,
  mode: `${LABEL_PREFIX}mode`,
  alpn: `${LABEL_PREFIX}alpn`,
  auth: `${LABEL_PREFIX}auth`,
  keyType: `${LABEL_PREFIX}key-type`,
  certificateLifetime: `${LABEL_PREFIX}certificate-lifetime`,
  sidecarCpu: `${LABEL_PREFIX}sidecar-cpu`,
  sidecarMemory: `${LABEL_PREFIX}sidecar-memory`,
  ownerKey: `${LABEL_PREFIX}owner-key`,
} as const;

/** Written by the webhook for people to read; never believed. */
export const INJECTED_ANNOTATION = `${LABEL_PREFIX}injected`;

/** On the CSR object for a user's certificate, set by the launcher. */
export const CSR_ANNOTATIONS = {
  enclave: `${LABEL_PREFIX}enclave`,
  user: `${LABEL_PREFIX}user`,
  grant: `${LABEL_PREFIX}grant`,
  grantSignature: `${LABEL_PREFIX}grant-signature`,
} as const;

/**
 * On an AttestedNode, set by an operator: SHA-256 (lower-case hex) of the SPKIs of attestation keys, separated by commas, that the node's agent is not to use any
 * more. They name keys, not a time, so that it is done when another key serves, whatever was interrupted.
 */
export const RETIRED_KEYS_ANNOTATION = `${LABEL_PREFIX}retired-attestation-keys`;
