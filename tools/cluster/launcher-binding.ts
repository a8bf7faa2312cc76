/** What lets the launcher work in one namespace: a RoleBinding to the ClusterRole in charts/licensing/files/launcher.yaml. */
export function launcherBinding(namespace: string, releaseNamespace: string): object {
  return {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'RoleBinding',
    metadata: { name: 'enclave-launcher', namespace },
    roleRef: {
      apiGroup: 'rbac.authorization.k8s.io',
      kind: 'ClusterRole',
      name: 'enclave-launcher-namespace',
    },
    subjects: [{ kind: 'ServiceAccount', name: 'enclave-launcher', namespace: releaseNamespace }],
  };
}
