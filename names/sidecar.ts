/** Names inside an injected pod. They are reserved: a pod that brings its own is refused. */
export const SIDECAR_CONTAINER = 'enclave-sidecar';
export const TOKEN_VOLUME = 'enclave-licensing-token';
export const TOKEN_MOUNT_PATH = '/var/run/secrets/enclave-licensing.dev';
export const TOKEN_FILE = `${TOKEN_MOUNT_PATH}/token`;
export const SIDECAR_PORT_NAME = 'enclave';
export const HEALTH_PORT_NAME = 'enclave-health';

/** The sidecar's whole configuration: environment of its container, so part of the immutable pod spec. */
export const SIDECAR_ENV = {
  roots: 'ENCLAVE_SIDECAR_ROOTS',
  enclave: 'ENCLAVE_SIDECAR_ENCLAVE',
  enclaveDomain: 'ENCLAVE_SIDECAR_ENCLAVE_DOMAIN',
  ownerKey: 'ENCLAVE_SIDECAR_OWNER_KEY',
  mode: 'ENCLAVE_SIDECAR_MODE',
  upstream: 'ENCLAVE_SIDECAR_UPSTREAM',
  auth: 'ENCLAVE_SIDECAR_AUTH',
  alpn: 'ENCLAVE_SIDECAR_ALPN',
  keyType: 'ENCLAVE_SIDECAR_KEY_TYPE',
  certificateLifetime: 'ENCLAVE_SIDECAR_CERTIFICATE_LIFETIME',
  tokenFile: 'ENCLAVE_SIDECAR_TOKEN_FILE',
  /** From the downward API: status.podIP, status.hostIP, spec.nodeName, metadata.uid. */
  bind: 'ENCLAVE_SIDECAR_BIND',
  agentHost: 'ENCLAVE_SIDECAR_AGENT_HOST',
  node: 'ENCLAVE_SIDECAR_NODE',
  podUid: 'ENCLAVE_SIDECAR_POD_UID',
} as const;
