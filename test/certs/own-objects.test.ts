import { readFileSync } from 'node:fs';
import { rootCertificates } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { issuerSecret, TRUST_STATE_SECRET, TRUST_STATE_SECRET_TYPE } from '../../names/certs-state.ts';
import { isKubeError } from '../../platform/kube/kube-error.ts';
import { BINDING_TYPE, ekSecret, nodeSecret } from '../../platform/kube/node-binding.ts';
import {
  CONFIG_MAPS,
  LEASES,
  MUTATING_WEBHOOK_CONFIGURATIONS,
  NETWORK_POLICIES,
  SECRETS,
  VALIDATING_WEBHOOK_CONFIGURATIONS,
} from '../../platform/kube/resources.ts';
import type { KubeObject, Resource } from '../../platform/kube/wire.ts';
import { until } from '../support/until.ts';
import { RELEASE, startTestCluster, type TestCluster } from './cluster.ts';

let cluster: TestCluster;
beforeAll(async () => {
  cluster = await startTestCluster();
});
afterAll(() => cluster?.close());

/** What the API server says to this account, which has the rights of its role. */
async function creates(
  account: string,
  resource: Resource<KubeObject>,
  object: KubeObject,
  namespace = RELEASE,
) {
  const kube = await cluster.as(account);
  return kube.create(resource, { ...object, metadata: { namespace, ...object.metadata } }).then(
    () => 'made',
    (error: Error) => (isKubeError(error, 'AlreadyExists') ? 'made' : error.message),
  );
}
const ROOT = Buffer.from(rootCertificates[0] ?? '').toString('base64');
const named = (name: string) => ({ metadata: { name } });
const secret = (name: string, type: string, annotations = {}): KubeObject =>
  ({ metadata: { name, annotations }, type, data: {} }) as KubeObject;
const tokenOf = (account: string): KubeObject =>
  secret(`token-of-${account}`, 'kubernetes.io/service-account-token', {
    'kubernetes.io/service-account.name': account,
  });
const policy = (name: string): KubeObject =>
  ({ ...named(name), spec: { podSelector: {}, ingress: [{}] } }) as KubeObject;

const REAL = process.env['ENCLAVE_TEST_KUBERNETES_BIN'] !== undefined;

// The devcluster stores policies and runs none.
if (!REAL)
  test('roles alone: the certificate service makes Secrets, the launcher none', async () => {
    const state = secret(TRUST_STATE_SECRET, TRUST_STATE_SECRET_TYPE);
    expect(await creates('enclave-launcher', SECRETS, state)).toMatch(/forbidden|cannot create/i);
    expect(await creates('enclave-certs', SECRETS, state)).toBe('made');
  });
else
  describe('what RBAC cannot limit by name', () => {
    test('the certificate service makes its own Secrets, roots and lease, and no account’s token', async () => {
      const says = /makes its own Secrets, roots and lease, and nothing else/;
      const certs = (resource: Resource<KubeObject>, object: KubeObject) =>
        creates('enclave-certs', resource, object);
      await until('the policy is in force', async () =>
        says.test(await certs(SECRETS, tokenOf('enclave-launcher'))),
      );
      for (const [resource, object] of [
        [SECRETS, secret('enclave-certs-trust-state', 'Opaque')],
        [SECRETS, secret('mine', TRUST_STATE_SECRET_TYPE)],
        [SECRETS, secret('enclave-front-database', BINDING_TYPE)],
        [CONFIG_MAPS, named('enclave-licensing-revoked-users')],
        [LEASES, named('enclave-webhook')],
      ] as const)
        expect(await certs(resource, object), JSON.stringify(object)).toMatch(says);
      for (const [resource, object] of [
        [SECRETS, secret(issuerSecret('system'), 'enclave-licensing.dev/issuer')],
        [SECRETS, secret(TRUST_STATE_SECRET, TRUST_STATE_SECRET_TYPE)],
        [SECRETS, secret(nodeSecret('node-1'), BINDING_TYPE)],
        [SECRETS, secret(ekSecret('ab'.repeat(32)), BINDING_TYPE)],
        [CONFIG_MAPS, named('enclave-licensing-roots')],
        [LEASES, named('enclave-certs')],
      ] as const)
        expect(await certs(resource, object), JSON.stringify(object)).toBe('made');
    });

    test('nobody lays down a Secret that the certificate service would believe, but who may read it', async () => {
      const says = /Secrets of this type are the certificate service's/;
      const rbac = 'rbac.authorization.k8s.io/v1';
      const may = (name: string, ...verbs: string[]) =>
        cluster.admin.create(resource('Role', 'roles'), {
          metadata: { name, namespace: RELEASE },
          rules: [{ apiGroups: [''], resources: ['secrets'], verbs }],
        } as KubeObject);
      const resource = (kind: string, plural: string): Resource<KubeObject> => ({
        apiVersion: rbac,
        kind,
        plural,
        namespaced: true,
      });
      await may('writer', 'create');
      await may('restorer', 'create', 'get');
      for (const [role, account] of [
        ['writer', 'enclave-front'],
        ['restorer', 'enclave-launcher'],
      ] as const)
        await cluster.admin.create(resource('RoleBinding', 'rolebindings'), {
          metadata: { name: role, namespace: RELEASE },
          roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: role },
          subjects: [{ kind: 'ServiceAccount', name: account, namespace: RELEASE }],
        } as KubeObject);
      const issuer = secret(issuerSecret('enclaves'), 'enclave-licensing.dev/issuer');
      const binding = secret(nodeSecret('node-2'), BINDING_TYPE);
      const front = (object: KubeObject) => creates('enclave-front', SECRETS, object);
      await until('the policy is in force', async () => says.test(await front(issuer)));
      expect(await front(binding)).toMatch(says);
      expect(await front(secret('its-own', 'Opaque'))).toBe('made');
      expect(await creates('enclave-launcher', SECRETS, binding)).toBe('made');
    });

    test('the webhook makes its findings and its lease, and touches no network policies but those of enclaves', async () => {
      const says = /the webhook makes its findings, its lease and the network policies of enclaves/;
      const webhook = (resource: Resource<KubeObject>, object: KubeObject, namespace = RELEASE) =>
        creates('enclave-webhook', resource, object, namespace);
      const revoked = named('enclave-licensing-revoked-users');
      await until('the policy is in force', async () => says.test(await webhook(CONFIG_MAPS, revoked)));
      expect(await webhook(LEASES, named('enclave-certs'))).toMatch(says);
      expect(await webhook(NETWORK_POLICIES, policy('open-all'), 'team')).toMatch(says);
      await cluster.admin.create(NETWORK_POLICIES, {
        ...policy('theirs'),
        metadata: { name: 'theirs', namespace: 'team' },
      });
      const kube = await cluster.as('enclave-webhook');
      const theirs = { name: 'theirs', namespace: 'team' };
      await expect(kube.delete(NETWORK_POLICIES, theirs)).rejects.toThrow(says);
      await expect(kube.patch(NETWORK_POLICIES, theirs, { spec: { ingress: [] } })).rejects.toThrow(says);
      expect(await webhook(CONFIG_MAPS, named('enclave-licensing-findings'))).toBe('made');
      expect(await webhook(LEASES, named('enclave-webhook'))).toBe('made');
      expect(await webhook(NETWORK_POLICIES, policy('enclave-licensing-launched'), 'team')).toBe('made');
      const own = { name: 'enclave-licensing-launched', namespace: 'team' };
      expect(await kube.delete(NETWORK_POLICIES, own)).toBe(true);
    });

    test('the certificate service writes caBundle, and nothing else of a webhook configuration', async () => {
      const says = /writes caBundle, and nothing else of a webhook configuration/;
      const documents = parseAllDocuments(readFileSync('charts/licensing/files/webhook.yaml', 'utf8'));
      const kube = await cluster.as('enclave-certs');
      const name = 'enclave-licensing';
      for (const resource of [MUTATING_WEBHOOK_CONFIGURATIONS, VALIDATING_WEBHOOK_CONFIGURATIONS]) {
        const object = documents
          .map((each) => each.toJS() as KubeObject)
          .find(({ kind }) => kind === resource.kind);
        await cluster.admin.create(resource, object ?? {});
        const write = (path: string, value: unknown) =>
          kube.patch(resource, { name }, [{ op: 'add', path, value }], 'json').then(
            () => 'taken',
            (error: Error) => error.message,
          );
        const patch = (path: string, value: unknown) => write(`/webhooks/0/${path}`, value);
        await until('the policy is in force', async () => says.test(await patch('timeoutSeconds', 9)));
        const rule = {
          apiGroups: [''],
          apiVersions: ['v1'],
          operations: ['CREATE'],
          resources: ['secrets'],
        };
        for (const [path, value] of [
          ['rules/0', rule],
          ['clientConfig', { url: 'https://other.example/x' }],
          ['clientConfig/service/namespace', 'team'],
          ['clientConfig/service/path', '/x'],
          ['namespaceSelector', {}],
          ['objectSelector', { matchLabels: { a: 'b' } }],
          ['failurePolicy', 'Ignore'],
          ['matchConditions', [{ name: 'never', expression: 'false' }]],
          ['matchPolicy', 'Exact'],
          ['sideEffects', 'NoneOnDryRun'],
          ['admissionReviewVersions', ['v1', 'v1beta1']],
          ['name', 'other.enclave-licensing.dev'],
        ] as const)
          expect(await patch(path, value), path).toMatch(says);
        if (resource === MUTATING_WEBHOOK_CONFIGURATIONS)
          expect(await patch('reinvocationPolicy', 'Never'), 'reinvocationPolicy').toMatch(says);
        // The garbage collector deletes what only an owner has that is not there.
        const owner = { apiVersion: 'v1', kind: 'ConfigMap', name: 'gone', uid: 'a'.repeat(36) };
        for (const [path, value] of [
          ['ownerReferences', [owner]],
          ['finalizers', ['example.org/x']],
          ['labels', { a: 'b' }],
          ['annotations', { a: 'b' }],
        ] as const)
          expect(await write(`/metadata/${path}`, value), path).toMatch(says);
        expect(await patch('clientConfig/caBundle', ROOT)).toBe('taken');
      }
    });
  });
