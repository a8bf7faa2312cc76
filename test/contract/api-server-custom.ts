import { beforeAll, expect, test } from 'vitest';
import { until } from '../support/until.ts';
import { makeNamespace, unique } from './api-client.ts';
import type { Subject } from './api-server.ts';

const DEFINITIONS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';

/** Custom resources: schema, defaults, pruning and status. */
export function customContract(subject: Subject): void {
  let namespace: string;
  beforeAll(async () => {
    namespace = await makeNamespace(subject.admin);
  });

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
            once: {
              type: 'string',
              maxLength: 64,
              'x-kubernetes-validations': [{ rule: 'self == oldSelf', message: 'written once' }],
            },
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
    await subject.admin.patch(`${widgets}/w`, 'merge', { spec: { once: 'a' } });
    const again = await subject.admin.patch(`${widgets}/w`, 'merge', { spec: { once: 'b' } });
    expect(again).toMatchObject({ status: 422, body: { reason: 'Invalid' } });
    expect(again.body['message']).toBe(
      `Widget.${group} "w" is invalid: spec.once: Invalid value: "b": written once`,
    );
    await subject.admin.delete(`${DEFINITIONS}/widgets.${group}`);
    await until('widgets are gone', async () => (await subject.admin.get(widgets)).status === 404);
  });
}
