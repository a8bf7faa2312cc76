import type {
  CoreV1Event,
  V1CertificateSigningRequest,
  V1ConfigMap,
  V1CustomResourceDefinition,
  V1DaemonSet,
  V1EndpointSlice,
  V1Lease,
  V1MutatingWebhookConfiguration,
  V1Namespace,
  V1NetworkPolicy,
  V1Node,
  V1Pod,
  V1RoleBinding,
  V1Secret,
  V1SelfSubjectAccessReview,
  V1ServiceAccount,
  V1SubjectAccessReview,
  V1TokenReview,
  V1ValidatingAdmissionPolicy,
  V1ValidatingAdmissionPolicyBinding,
  V1ValidatingWebhookConfiguration,
} from '@kubernetes/client-node';
import type { KubeObject, Resource, Wire } from './wire.ts';

export type Pod = Wire<V1Pod>;
export type Namespace = Wire<V1Namespace>;
export type Node = Wire<V1Node>;
export type ConfigMap = Wire<V1ConfigMap>;
export type Secret = Wire<V1Secret>;
export type ServiceAccount = Wire<V1ServiceAccount>;
export type Event = Wire<CoreV1Event>;
export type NetworkPolicy = Wire<V1NetworkPolicy>;
export type Lease = Wire<V1Lease>;
export type CertificateSigningRequest = Wire<V1CertificateSigningRequest>;
export type TokenReview = Wire<V1TokenReview>;
export type MutatingWebhookConfiguration = Wire<V1MutatingWebhookConfiguration>;
export type ValidatingWebhookConfiguration = Wire<V1ValidatingWebhookConfiguration>;
export type ValidatingAdmissionPolicy = Wire<V1ValidatingAdmissionPolicy>;
export type ValidatingAdmissionPolicyBinding = Wire<V1ValidatingAdmissionPolicyBinding>;
export type CustomResourceDefinition = Wire<V1CustomResourceDefinition>;
export type DaemonSet = Wire<V1DaemonSet>;
export type EndpointSlice = Wire<V1EndpointSlice>;
export type RoleBinding = Wire<V1RoleBinding>;
export type SubjectAccessReview = Wire<V1SubjectAccessReview>;
export type SelfSubjectAccessReview = Wire<V1SelfSubjectAccessReview>;

function resource<T extends KubeObject>(
  apiVersion: string,
  kind: string,
  plural: string,
  namespaced: boolean,
): Resource<T> {
  return { apiVersion, kind, plural, namespaced };
}

export const PODS = resource<Pod>('v1', 'Pod', 'pods', true);
export const NAMESPACES = resource<Namespace>('v1', 'Namespace', 'namespaces', false);
export const NODES = resource<Node>('v1', 'Node', 'nodes', false);
export const CONFIG_MAPS = resource<ConfigMap>('v1', 'ConfigMap', 'configmaps', true);
export const SECRETS = resource<Secret>('v1', 'Secret', 'secrets', true);
export const SERVICE_ACCOUNTS = resource<ServiceAccount>('v1', 'ServiceAccount', 'serviceaccounts', true);
export const EVENTS = resource<Event>('v1', 'Event', 'events', true);
export const ENDPOINT_SLICES = resource<EndpointSlice>(
  'discovery.k8s.io/v1',
  'EndpointSlice',
  'endpointslices',
  true,
);
export const LEASES = resource<Lease>('coordination.k8s.io/v1', 'Lease', 'leases', true);
export const NETWORK_POLICIES = resource<NetworkPolicy>(
  'networking.k8s.io/v1',
  'NetworkPolicy',
  'networkpolicies',
  true,
);
export const CERTIFICATE_SIGNING_REQUESTS = resource<CertificateSigningRequest>(
  'certificates.k8s.io/v1',
  'CertificateSigningRequest',
  'certificatesigningrequests',
  false,
);
export const TOKEN_REVIEWS = resource<TokenReview>(
  'authentication.k8s.io/v1',
  'TokenReview',
  'tokenreviews',
  false,
);
export const MUTATING_WEBHOOK_CONFIGURATIONS = resource<MutatingWebhookConfiguration>(
  'admissionregistration.k8s.io/v1',
  'MutatingWebhookConfiguration',
  'mutatingwebhookconfigurations',
  false,
);
export const VALIDATING_WEBHOOK_CONFIGURATIONS = resource<ValidatingWebhookConfiguration>(
  'admissionregistration.k8s.io/v1',
  'ValidatingWebhookConfiguration',
  'validatingwebhookconfigurations',
  false,
);
export const VALIDATING_ADMISSION_POLICIES = resource<ValidatingAdmissionPolicy>(
  'admissionregistration.k8s.io/v1',
  'ValidatingAdmissionPolicy',
  'validatingadmissionpolicies',
  false,
);
export const VALIDATING_ADMISSION_POLICY_BINDINGS = resource<ValidatingAdmissionPolicyBinding>(
  'admissionregistration.k8s.io/v1',
  'ValidatingAdmissionPolicyBinding',
  'validatingadmissionpolicybindings',
  false,
);
export const CUSTOM_RESOURCE_DEFINITIONS = resource<CustomResourceDefinition>(
  'apiextensions.k8s.io/v1',
  'CustomResourceDefinition',
  'customresourcedefinitions',
  false,
);
export const DAEMON_SETS = resource<DaemonSet>('apps/v1', 'DaemonSet', 'daemonsets', true);
export const ROLE_BINDINGS = resource<RoleBinding>(
  'rbac.authorization.k8s.io/v1',
  'RoleBinding',
  'rolebindings',
  true,
);
export const SUBJECT_ACCESS_REVIEWS = resource<SubjectAccessReview>(
  'authorization.k8s.io/v1',
  'SubjectAccessReview',
  'subjectaccessreviews',
  false,
);
export const SELF_SUBJECT_ACCESS_REVIEWS = resource<SelfSubjectAccessReview>(
  'authorization.k8s.io/v1',
  'SelfSubjectAccessReview',
  'selfsubjectaccessreviews',
  false,
);

/** A resource of our own (`EnclaveProfile`, `AttestedNode`), or one not listed here. */
export function customResource<T extends KubeObject>(
  apiVersion: string,
  kind: string,
  plural: string,
  namespaced: boolean,
): Resource<T> {
  return resource<T>(apiVersion, kind, plural, namespaced);
}
