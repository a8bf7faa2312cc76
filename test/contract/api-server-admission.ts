import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { until } from '../support/until.ts';
import { type AdmissionServer, startAdmissionServer } from './admission-server.ts';
import { type Answered, type ApiAnswer, makeNamespace, unique } from './api-client.ts';
import type { Subject } from './api-server.ts';

const REGISTRATION = '/apis/admissionregistration.k8s.io/v1';

/** Webhooks as the product registers them. */
export function admissionContract(subject: Subject): void {
  let namespace: string;
  let maps: string;
  let hook: AdmissionServer;
  const label = unique('hooked');
  beforeAll(async () => {
    hook = await startAdmissionServer();
    namespace = await makeNamespace(subject.admin, { [label]: 'yes' });
    maps = `/api/v1/namespaces/${namespace}/configmaps`;
  });
  afterAll(() => hook?.close());
  beforeEach(() => {
    hook.respond = () => ({ allowed: true });
    hook.asked.length = 0;
  });
  const registered: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const remove of registered.splice(0).reverse()) await remove();
  });

  /** Registers webhooks for the test's namespace, and waits until the API server asks the last of them. */
  async function register(
    kind: 'mutating' | 'validating',
    ...webhooks: object[]
  ): Promise<() => Promise<void>> {
    const path = `${REGISTRATION}/${kind}webhookconfigurations`;
    const name = unique('contract');
    const complete = webhooks.map((webhook, index) => ({
      name: `w${index}.example.com`,
      clientConfig: { url: hook.url, caBundle: hook.caBundle },
      admissionReviewVersions: ['v1'],
      sideEffects: 'None',
      namespaceSelector: { matchLabels: { [label]: 'yes' } },
      objectSelector: { matchExpressions: [{ key: 'skip', operator: 'DoesNotExist' }] },
      rules: [
        {
          operations: ['CREATE', 'UPDATE', 'DELETE'],
          apiGroups: [''],
          apiVersions: ['v1'],
          resources: ['configmaps'],
        },
      ],
      ...webhook,
    }));
    const made = await subject.admin.post(path, { metadata: { name }, webhooks: complete });
    expect(made.status).toBe(201);
    const probe = unique('probe');
    await until('the webhook is asked', async () => {
      const { status } = await subject.admin.post(`${maps}?dryRun=All`, { metadata: { name: probe } });
      return hook.asked.some((each) => String(each['name']) === probe) || status >= 400;
    });
    hook.asked.length = 0;
    const remove = async (): Promise<void> => {
      hook.respond = () => ({ allowed: true });
      await subject.admin.delete(`${path}/${name}`);
      await until('the webhook is forgotten', async () => {
        hook.asked.length = 0;
        const { status } = await subject.admin.post(`${maps}?dryRun=All`, { metadata: { name: probe } });
        return hook.asked.length === 0 && status === 201;
      });
    };
    registered.push(remove);
    return remove;
  }
  const nameOf = (request: Answered): string => String(request['object']?.['metadata']?.['name']);
  const patchOf = (operations: object[]) => ({
    allowed: true,
    patchType: 'JSONPatch',
    patch: Buffer.from(JSON.stringify(operations)).toString('base64'),
  });
  const make = (name: string, labels: object = {}): Promise<ApiAnswer> =>
    subject.admin.post(maps, { metadata: { name, labels: { a: 'b', ...labels } } });

  test('a mutating webhook sees who asks for what, changes it, and warns', async () => {
    await register('mutating', {});
    hook.respond = (request) =>
      String(request['operation']) === 'CREATE'
        ? { ...patchOf([{ op: 'add', path: '/data', value: { by: 'hook' } }]), warnings: ['mind the gap'] }
        : { allowed: true };
    const made = await make('mutated');
    expect(made).toMatchObject({ status: 201, body: { data: { by: 'hook' } } });
    expect(made.headers['warning']).toBe('299 - "mind the gap"');
    expect(hook.asked[0]).toMatchObject({
      kind: { group: '', version: 'v1', kind: 'ConfigMap' },
      resource: { group: '', version: 'v1', resource: 'configmaps' },
      name: 'mutated',
      namespace,
      operation: 'CREATE',
      userInfo: { username: 'contract-admin', groups: ['system:masters', 'system:authenticated'] },
      object: { kind: 'ConfigMap', apiVersion: 'v1', metadata: { name: 'mutated', namespace } },
      oldObject: null,
      dryRun: false,
      options: { kind: 'CreateOptions', apiVersion: 'meta.k8s.io/v1' },
    });
    await make('skipped', { skip: 'yes' });
    expect(hook.asked).toHaveLength(1);
    await subject.admin.post('/api/v1/namespaces/default/configmaps?dryRun=All', {
      metadata: { name: 'elsewhere' },
    });
    expect(hook.asked).toHaveLength(1);
    await subject.admin.delete(`${maps}/mutated`);
    expect(hook.asked.at(-1)).toMatchObject({
      operation: 'DELETE',
      object: null,
      oldObject: { metadata: { name: 'mutated' } },
    });
  });

  test('built-in admission and earlier webhooks see again what a later webhook changed', async () => {
    const count = (name: string): number => hook.asked.filter((each) => nameOf(each) === name).length;
    await register('mutating', { reinvocationPolicy: 'IfNeeded' }, {});
    hook.respond = (request) =>
      request['object']?.['data'] === undefined && count('twice') === 2
        ? patchOf([{ op: 'add', path: '/data', value: { by: 'second' } }])
        : { allowed: true };
    await make('twice');
    expect(count('twice')).toBe(3);
    expect(hook.asked[2]).toMatchObject({ object: { data: { by: 'second' } } });
  });

  test('a container that a webhook adds gets the service account token as the others do', async () => {
    const rule = {
      operations: ['CREATE'],
      apiGroups: [''],
      apiVersions: ['v1'],
      resources: ['configmaps', 'pods'],
    };
    await register('mutating', { rules: [rule] });
    hook.respond = () =>
      patchOf([{ op: 'add', path: '/spec/initContainers', value: [{ name: 'side', image: 'side' }] }]);
    const { status, body } = await subject.admin.post(`/api/v1/namespaces/${namespace}/pods`, {
      metadata: { name: 'injected' },
      spec: { containers: [{ name: 'app', image: 'app' }] },
    });
    expect(status).toBe(201);
    const mount = { mountPath: '/var/run/secrets/kubernetes.io/serviceaccount', readOnly: true };
    expect(body['spec']).toMatchObject({
      initContainers: [{ name: 'side', imagePullPolicy: 'Always', volumeMounts: [mount] }],
      containers: [{ volumeMounts: [mount] }],
      volumes: { length: 1 },
    });
    hook.respond = () => ({ allowed: true });
  });

  test('a validating webhook refuses with its own words and code', async () => {
    await register('validating', {});
    hook.respond = (request) =>
      nameOf(request) === 'bad'
        ? { allowed: false, status: { code: 403, message: 'not this one', reason: 'Forbidden' } }
        : nameOf(request) === 'mute'
          ? { allowed: false }
          : { allowed: true };
    const message = 'admission webhook "w0.example.com" denied the request: not this one';
    expect(await make('bad')).toMatchObject({ status: 403, body: { reason: 'Forbidden', message } });
    expect(await make('mute')).toMatchObject({
      status: 400,
      body: { message: 'admission webhook "w0.example.com" denied the request without explanation' },
    });
    expect((await make('good')).status).toBe(201);
    expect(hook.asked.at(-1)?.['object']?.['metadata']?.['uid']).toBeDefined();
  });

  test('a webhook that is down or slow refuses, unless its failure is to be ignored', async () => {
    const dead = { clientConfig: { url: 'https://127.0.0.1:9/review', caBundle: hook.caBundle } };
    for (const [broken, words] of [
      [dead, 'connect'],
      [{ timeoutSeconds: 1 }, 'context deadline exceeded'],
      [
        { clientConfig: { url: hook.url, caBundle: Buffer.from(subject.server.caPem).toString('base64') } },
        'certificate',
      ],
      [
        { clientConfig: { service: { name: 'missing', namespace: 'default' }, caBundle: hook.caBundle } },
        'service "missing" not found',
      ],
    ] as const) {
      const remove = await register('validating', broken);
      hook.respond = () => undefined;
      const refused = await make('down');
      expect(refused).toMatchObject({ status: 500, body: { reason: 'InternalError' } });
      expect(refused.body['message']).toContain(
        'Internal error occurred: failed calling webhook "w0.example.com": failed to call webhook:',
      );
      expect(refused.body['message']).toContain(words);
      hook.respond = () => ({ allowed: true });
      await remove();
    }
    await register('validating', {}, { ...dead, failurePolicy: 'Ignore' });
    expect((await make('ignored')).status).toBe(201);
  }, 60_000);
}
