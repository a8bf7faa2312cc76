import type { Resource, Subresource } from './resource.ts';

const ALL_VERBS = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];
const STATUS = { status: { kind: '', verbs: ['get', 'patch', 'update'] } };

/** Groups whose kinds count generations; a Pod counts its own. */
const COUNTED_GROUPS = ['admissionregistration.k8s.io', 'apiextensions.k8s.io', 'networking.k8s.io'];

interface Row {
  readonly kind: string;
  readonly plural: string;
  readonly namespaced?: boolean;
  readonly shortNames?: readonly string[];
  readonly verbs?: readonly string[];
  readonly subresources?: Readonly<Record<string, Subresource>>;
  readonly table?: string;
  readonly unconditionalUpdate?: boolean;
}

const NAMESPACED = { namespaced: true } as const;

/** Built-in kinds by group and version. */
const TABLE: Readonly<Record<string, readonly Row[]>> = {
  v1: [
    {
      kind: 'Namespace',
      plural: 'namespaces',
      shortNames: ['ns'],
      subresources: { ...STATUS, finalize: { kind: 'Namespace', verbs: ['update'] } },
    },
    { kind: 'Node', plural: 'nodes', shortNames: ['no'], subresources: STATUS },
    {
      kind: 'Pod',
      plural: 'pods',
      ...NAMESPACED,
      shortNames: ['po'],
      subresources: {
        ...STATUS,
        binding: { kind: 'Binding', verbs: ['create'] },
        log: { kind: 'Pod', verbs: ['get'] },
      },
    },
    { kind: 'Secret', plural: 'secrets', ...NAMESPACED },
    { kind: 'ConfigMap', plural: 'configmaps', ...NAMESPACED, shortNames: ['cm'] },
    {
      kind: 'ServiceAccount',
      plural: 'serviceaccounts',
      ...NAMESPACED,
      shortNames: ['sa'],
      subresources: {
        token: { kind: 'TokenRequest', group: 'authentication.k8s.io', version: 'v1', verbs: ['create'] },
      },
    },
    { kind: 'Service', plural: 'services', ...NAMESPACED, shortNames: ['svc'], subresources: STATUS },
    { kind: 'Event', plural: 'events', ...NAMESPACED, shortNames: ['ev'], table: 'events' },
  ],
  'events.k8s.io/v1': [
    { kind: 'Event', plural: 'events', ...NAMESPACED, shortNames: ['ev'], table: 'events' },
  ],
  'coordination.k8s.io/v1': [{ kind: 'Lease', plural: 'leases', ...NAMESPACED, unconditionalUpdate: false }],
  'certificates.k8s.io/v1': [
    {
      kind: 'CertificateSigningRequest',
      plural: 'certificatesigningrequests',
      shortNames: ['csr'],
      subresources: { ...STATUS, approval: { kind: '', verbs: ['get', 'patch', 'update'] } },
    },
  ],
  'authentication.k8s.io/v1': [
    { kind: 'TokenReview', plural: 'tokenreviews', verbs: ['create'] },
    { kind: 'SelfSubjectReview', plural: 'selfsubjectreviews', verbs: ['create'] },
  ],
  'authorization.k8s.io/v1': [
    { kind: 'SubjectAccessReview', plural: 'subjectaccessreviews', verbs: ['create'] },
    { kind: 'SelfSubjectAccessReview', plural: 'selfsubjectaccessreviews', verbs: ['create'] },
  ],
  'rbac.authorization.k8s.io/v1': [
    { kind: 'Role', plural: 'roles', ...NAMESPACED },
    { kind: 'RoleBinding', plural: 'rolebindings', ...NAMESPACED },
    { kind: 'ClusterRole', plural: 'clusterroles' },
    { kind: 'ClusterRoleBinding', plural: 'clusterrolebindings' },
  ],
  'admissionregistration.k8s.io/v1': [
    { kind: 'MutatingWebhookConfiguration', plural: 'mutatingwebhookconfigurations' },
    { kind: 'ValidatingWebhookConfiguration', plural: 'validatingwebhookconfigurations' },
    {
      kind: 'ValidatingAdmissionPolicy',
      plural: 'validatingadmissionpolicies',
      subresources: STATUS,
      unconditionalUpdate: false,
    },
    {
      kind: 'ValidatingAdmissionPolicyBinding',
      plural: 'validatingadmissionpolicybindings',
      unconditionalUpdate: false,
    },
  ],
  'apiextensions.k8s.io/v1': [
    {
      kind: 'CustomResourceDefinition',
      plural: 'customresourcedefinitions',
      shortNames: ['crd', 'crds'],
      subresources: STATUS,
      unconditionalUpdate: false,
    },
  ],
  'networking.k8s.io/v1': [
    { kind: 'NetworkPolicy', plural: 'networkpolicies', ...NAMESPACED, shortNames: ['netpol'] },
  ],
};

function toResource(apiVersion: string, row: Row): Resource {
  const slash = apiVersion.indexOf('/');
  const group = slash < 0 ? '' : apiVersion.slice(0, slash);
  return {
    group,
    version: apiVersion.slice(slash + 1),
    plural: row.plural,
    singular: row.kind.toLowerCase(),
    kind: row.kind,
    namespaced: row.namespaced ?? false,
    shortNames: row.shortNames ?? [],
    categories: row.kind === 'Pod' || row.kind === 'Service' ? ['all'] : [],
    verbs: row.verbs ?? ALL_VERBS,
    subresources: row.subresources ?? {},
    table: row.table ?? (group === '' ? row.plural : `${row.plural}.${group}`),
    unconditionalUpdate: row.unconditionalUpdate ?? true,
    custom: false,
    generation: COUNTED_GROUPS.includes(group),
    columns: [],
  };
}

export const BUILT_IN_RESOURCES: readonly Resource[] = Object.entries(TABLE).flatMap(([apiVersion, rows]) =>
  rows.map((row) => toResource(apiVersion, row)),
);
