import { describe, expect, test } from 'vitest';
import { componentRequests } from './audit-log.ts';
import { chartRights, compareRights, rightsOf } from './rights.ts';

const ROLES = `
kind: ClusterRole
metadata: { name: enclave-certs }
rules:
  - { apiGroups: [""], resources: [pods], verbs: [get] }
  - { apiGroups: [certificates.k8s.io], resources: [certificatesigningrequests/approval], verbs: [update] }
  - { apiGroups: [certificates.k8s.io], resources: [signers], resourceNames: [a/one, a/two], verbs: [approve] }
---
kind: Role
metadata: { name: enclave-certs, namespace: release }
rules:
  - { apiGroups: [""], resources: [configmaps], resourceNames: [roots], verbs: [get, patch] }
`;
const rights = rightsOf(ROLES);

/** A line as the API server writes it. */
function line(verb: string, objectRef: object, decision = 'allow', more: object = {}): string {
  return JSON.stringify({
    kind: 'Event',
    apiVersion: 'audit.k8s.io/v1',
    verb,
    userAgent: 'enclave-licensing',
    user: { username: 'system:serviceaccount:release:enclave-certs' },
    objectRef,
    annotations: {
      'authorization.k8s.io/decision': decision,
      'authorization.k8s.io/reason':
        decision === 'allow'
          ? 'RBAC: allowed by ClusterRoleBinding "b" of ClusterRole "enclave-certs" to ServiceAccount "enclave-certs/release"'
          : '',
    },
    ...more,
  });
}

function compare(...lines: string[]) {
  return compareRights(rights, componentRequests([...lines, ''].join('\n'), 'release'));
}

const POD = { resource: 'pods', namespace: 'enclaves', name: 'x' };
const ROOTS = { resource: 'configmaps', namespace: 'release', name: 'roots' };
const APPROVAL = {
  resource: 'certificatesigningrequests',
  subresource: 'approval',
  apiGroup: 'certificates.k8s.io',
  name: 'r',
};

describe('what a log says of roles', () => {
  test('a right that no request used is named, by each of its names', () => {
    const approved = line('update', APPROVAL, 'allow', { requestObject: { spec: { signerName: 'a/one' } } });
    expect(compare(line('get', POD), line('get', ROOTS), approved)).toEqual({
      missing: [],
      unused: [
        'enclave-certs: approve signers.certificates.k8s.io a/two',
        'enclave-certs: patch configmaps roots',
      ],
    });
  });

  test('a request that no rule covers is named', () => {
    for (const [verb, at] of [
      ['delete', POD],
      ['get', { ...POD, subresource: 'log' }],
      ['get', { ...ROOTS, name: 'others' }],
      ['get', { ...ROOTS, namespace: 'elsewhere' }],
      ['get', { ...POD, apiGroup: 'metrics.k8s.io' }],
    ] as const)
      expect(compare(line(verb, at, 'forbid')).missing, JSON.stringify([verb, at])).toHaveLength(1);
  });

  test('a rule that is there but was not yet read is not missing, and not used by that', () => {
    const { missing, unused } = compare(line('get', POD, 'forbid'));
    expect(missing).toEqual([]);
    expect(unused).toContain('enclave-certs: get pods');
  });

  test("others' requests, and those that are for no resource, say nothing", () => {
    const other = line('get', POD).replaceAll(':release:', ':other:');
    const tried = line('delete', POD, 'forbid', { userAgent: 'kubectl/v1.36.3' });
    expect(compare(tried).missing).toEqual([]);
    const path = line('get', POD).replace(/"objectRef":\{[^}]*\},/, '');
    expect(compare(other, path).unused).toHaveLength(rights.length);
  });
});

test('every component of the chart has rights, and none has a wildcard', () => {
  const all = chartRights();
  expect([...new Set(all.map(({ role }) => role))]).toEqual([
    'enclave-agent',
    'enclave-certs',
    'enclave-front',
    'enclave-launcher',
    'enclave-launcher-namespace',
    'enclave-webhook',
  ]);
  for (const { group, resource, verb, name } of all) expect([group, resource, verb, name]).not.toContain('*');
});
