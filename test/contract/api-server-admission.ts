import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { until } from '../support/until.ts';
import { type AdmissionServer, startAdmissionServer } from './admission-server.ts';
import { type Answered, type ApiAnswer, makeNamespace, unique } from './api-client.ts';
import type { Subject } from './api-server.ts';

const REGISTRATION = '/apis/admissionregistration.k8s.io/v1';
const DEFINITIONS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';

/** Webhooks as the product registers them, and custom resources with schema, defaults and status. */
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

  test('a custom resource is pruned, given defaults, validated, and has a status of its own', async () => {
    const group = `${unique('g')}.example.com`;
    const schema = {
      type: 'object',
      properties: {
        spec: {
          type: 'object',
          required: ['size'],
          properties: {
            size: { type: 'integer', minimum: 1 },
            colour: { type: 'string', enum: ['red', 'blue'], default: 'red' },
            free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
            port: { 'x-kubernetes-int-or-string': true },
            labels: { type: 'object', additionalProperties: { type: 'string' } },
          },
        },
        status: { type: 'object', properties: { phase: { type: 'string' } } },
      },
    };
    const definition = {
      metadata: { name: `widgets.${group}` },
      spec: {
        group,
        scope: 'Namespaced',
        names: { plural: 'widgets', kind: 'Widget', shortNames: ['wd'] },
        versions: [
          {
            name: 'v1',
            served: true,
            storage: true,
            subresources: { status: {} },
            schema: { openAPIV3Schema: schema },
          },
        ],
      },
    };
    expect((await subject.admin.post(DEFINITIONS, definition)).status).toBe(201);
    const widgets = `/apis/${group}/v1/namespaces/${namespace}/widgets`;
    await until('widgets are served', async () => (await subject.admin.get(widgets)).status === 200);
    const { body } = await subject.admin.get(`${DEFINITIONS}/widgets.${group}`);
    expect(body).toMatchObject({
      spec: { names: { singular: 'widget', listKind: 'WidgetList' } },
      status: { storedVersions: ['v1'] },
    });
    const widget = (name: string, spec: object, more: object = {}) => ({
      apiVersion: `${group}/v1`,
      kind: 'Widget',
      metadata: { name },
      spec,
      ...more,
    });
    const made = await subject.admin.post(
      widgets,
      widget(
        'w',
        { size: 2, odd: 1, free: { any: 1 }, port: 'http', labels: { a: 'b' } },
        { status: { phase: 'x' } },
      ),
    );
    expect(made).toMatchObject({ status: 201, body: { metadata: { generation: 1 } } });
    expect(made.body['spec']).toEqual({
      size: 2,
      colour: 'red',
      free: { any: 1 },
      port: 'http',
      labels: { a: 'b' },
    });
    expect(made.body['status']).toBeUndefined();
    expect(made.headers['warning']).toContain('unknown field \\"spec.odd\\"');
    const wrong = await subject.admin.post(widgets, widget('wrong', { size: 0, colour: 'green' }));
    expect(wrong).toMatchObject({ status: 422, body: { reason: 'Invalid' } });
    expect(wrong.body['message']).toContain(
      'spec.size: Invalid value: 0: spec.size in body should be greater than or equal to 1',
    );
    expect(wrong.body['message']).toContain(
      'spec.colour: Unsupported value: "green": supported values: "red", "blue"',
    );
    expect((await subject.admin.post(widgets, widget('none', {}))).body['message']).toContain(
      'spec.size: Required value',
    );
    expect((await subject.admin.post(widgets, widget('type', { size: 'x' }))).body['message']).toContain(
      'spec.size in body must be of type integer: "string"',
    );
    const status = await subject.admin.patch(`${widgets}/w/status`, 'merge', {
      spec: { size: 9 },
      status: { phase: 'Ready' },
    });
    expect(status).toMatchObject({
      status: 200,
      body: { spec: { size: 2 }, status: { phase: 'Ready' }, metadata: { generation: 1 } },
    });
    const main = await subject.admin.patch(`${widgets}/w`, 'merge', {
      spec: { size: 3 },
      status: { phase: 'Lost' },
    });
    expect(main.body).toMatchObject({
      spec: { size: 3 },
      status: { phase: 'Ready' },
      metadata: { generation: 2 },
    });
    expect((await subject.admin.patch(`${widgets}/w`, 'strategic-merge', { spec: { size: 4 } })).status).toBe(
      415,
    );
    await subject.admin.delete(`${DEFINITIONS}/widgets.${group}`);
    await until('widgets are gone', async () => (await subject.admin.get(widgets)).status === 404);
  });
}
