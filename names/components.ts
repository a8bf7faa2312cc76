/** Components and the DNS names in their certificates. */
export const COMPONENTS = ['agent', 'webhook', 'certs', 'front', 'launcher'] as const;
export type Component = (typeof COMPONENTS)[number];

export const INTERNAL_DOMAIN = 'enclave-licensing.internal';
export const DEFAULT_ENCLAVE_DOMAIN = `enclaves.${INTERNAL_DOMAIN}`;
export const DEFAULT_TRUST_DOMAIN = INTERNAL_DOMAIN;
export const DEFAULT_RELEASE_NAMESPACE = 'enclave-licensing';

/** Service, service account and binary have one name: `enclave-certs`. */
export function binaryName(component: Component | 'sidecar'): string {
  return `enclave-${component}`;
}

/** The name that the API server gives to who comes with a component's service account. */
export function componentUser(component: Component, releaseNamespace: string): string {
  return `system:serviceaccount:${releaseNamespace}:${binaryName(component)}`;
}

export function agentDnsName(node: string): string {
  return `agent.${node}.${INTERNAL_DOMAIN}`;
}

export function componentDnsName(component: Exclude<Component, 'agent'>): string {
  return `${component}.${INTERNAL_DOMAIN}`;
}

export function serviceDnsName(component: Component, releaseNamespace: string): string {
  return `${binaryName(component)}.${releaseNamespace}.svc`;
}

/** The headless Service in a namespace of enclaves: a launched one is `<id>.enclaves.<namespace>.svc` in the cluster's DNS. */
export const ENCLAVES_SERVICE = 'enclaves';

/** The ConfigMap that the certificate service writes and every component mounts, and its one key. */
export const ROOTS_CONFIG_MAP = 'enclave-licensing-roots';
export const ROOTS_KEY = 'roots.json';

/** The ConfigMap in which the operator names users that are revoked: a key a user, its value whatever the operator notes. */
export const REVOKED_USERS_CONFIG_MAP = 'enclave-licensing-revoked-users';
