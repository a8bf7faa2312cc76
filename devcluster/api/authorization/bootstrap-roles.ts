import type { Cluster } from '../cluster.ts';
import type { Fields } from '../object.ts';
import { plant } from '../plant.ts';

const GROUP = 'rbac.authorization.k8s.io';
const API_VERSION = `${GROUP}/v1`;
const HEALTH = ['/healthz', '/livez', '/readyz', '/version', '/version/'];

/** The roles that kube-apiserver makes by itself, as far as something here uses them. */
const ROLES: Readonly<Record<string, readonly Fields[]>> = {
  'cluster-admin': [
    { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
    { verbs: ['*'], nonResourceURLs: ['*'] },
  ],
  'system:discovery': [
    {
      verbs: ['get'],
      nonResourceURLs: ['/api', '/api/*', '/apis', '/apis/*', ...HEALTH, '/openapi', '/openapi/*'],
    },
  ],
  'system:public-info-viewer': [{ verbs: ['get'], nonResourceURLs: HEALTH }],
  'system:service-account-issuer-discovery': [
    {
      verbs: ['get'],
      nonResourceURLs: [
        '/.well-known/openid-configuration',
        '/.well-known/openid-configuration/',
        '/openid/v1/jwks',
        '/openid/v1/jwks/',
      ],
    },
  ],
  'system:basic-user': [
    {
      verbs: ['create'],
      apiGroups: ['authorization.k8s.io'],
      resources: ['selfsubjectaccessreviews', 'selfsubjectrulesreviews'],
    },
    { verbs: ['create'], apiGroups: ['authentication.k8s.io'], resources: ['selfsubjectreviews'] },
  ],
  'system:kube-scheduler': [
    { verbs: ['get', 'list', 'watch', 'delete'], apiGroups: [''], resources: ['pods'] },
    { verbs: ['create'], apiGroups: [''], resources: ['bindings', 'pods/binding'] },
    { verbs: ['patch', 'update'], apiGroups: [''], resources: ['pods/status'] },
    { verbs: ['get', 'list', 'watch'], apiGroups: [''], resources: ['nodes', 'services', 'namespaces'] },
    { verbs: ['create', 'patch', 'update'], apiGroups: ['', 'events.k8s.io'], resources: ['events'] },
  ],
  'system:auth-delegator': [
    { verbs: ['create'], apiGroups: ['authentication.k8s.io'], resources: ['tokenreviews'] },
    { verbs: ['create'], apiGroups: ['authorization.k8s.io'], resources: ['subjectaccessreviews'] },
  ],
};
const BOUND: Readonly<Record<string, string>> = {
  'cluster-admin': 'system:masters',
  'system:discovery': 'system:authenticated',
  'system:public-info-viewer': 'system:authenticated',
  'system:service-account-issuer-discovery': 'system:serviceaccounts',
  'system:basic-user': 'system:authenticated',
};

const SCHEDULER = 'system:kube-scheduler';

function bind(cluster: Cluster, name: string, subject: Fields): void {
  plant(cluster, `clusterrolebindings.${GROUP}`, {
    apiVersion: API_VERSION,
    kind: 'ClusterRoleBinding',
    metadata: { name },
    roleRef: { apiGroup: GROUP, kind: 'ClusterRole', name },
    subjects: [subject],
  });
}

export function plantBootstrapRoles(cluster: Cluster): void {
  for (const [name, rules] of Object.entries(ROLES))
    plant(cluster, `clusterroles.${GROUP}`, {
      apiVersion: API_VERSION,
      kind: 'ClusterRole',
      metadata: { name },
      rules,
    });
  for (const [name, group] of Object.entries(BOUND))
    bind(cluster, name, { kind: 'Group', apiGroup: GROUP, name: group });
  bind(cluster, SCHEDULER, { kind: 'User', apiGroup: GROUP, name: SCHEDULER });
}
