import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { withValuesTable } from '../../tools/values-table.ts';
import { CHART, render, SIDECAR_DIGEST, tryRender } from './render.ts';

const text = (file: string): string => readFileSync(join(CHART, file), 'utf8');

interface Schema {
  readonly type?: unknown;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: unknown;
  readonly items?: Schema;
}

/** [path of the value, a wrong value, what the message names besides the path]. */
const WRONG: readonly (readonly [string, unknown, string?])[] = [
  ['imagez', {}, "'imagez' not allowed"],
  ['images/registry', 'https://registry.example'],
  ['images/tag', 'a b'],
  ['images/digests/agent', 'sha256:12'],
  ['images/digests/sidecars', SIDECAR_DIGEST, "'sidecars' not allowed"],
  ['images/formerSidecars', ['registry.example/enclave-sidecar:1']],
  ['images/pullPolicy', 'Sometimes'],
  ['images/pullSecrets', [{ name: 'regcred' }]],
  ['ha', 'yes'],
  ['enclaveNamespaces', []],
  ['enclaveNamespaces', ['Enclaves']],
  ['enclaveNamespaces', ['a', 'a']],
  ['enclaveNamespaces', ['kube-system']],
  ['publicEndpoint', 'enclaves.example'],
  ['requireIsolation', 'no'],
  ['trustDomain', 'Example.org'],
  ['enclaveDomain', 'a_b'],
  ['pcrs', 'sha1:0,1'],
  ['pcrs', 'sha256:0,23'],
  ['logLevel', 'verbose'],
  ['tpm/device', 'dev/tpm0'],
  ['tpm/device', '/etc/passwd'],
  ['tpm/socketDirectory', 'run/swtpm'],
  ...[
    '/',
    '/.',
    '/run',
    '/run/',
    '/run/.',
    '/run/..',
    '/run/tpm/../..',
    '/run//',
    '/var/run',
    '/etc/tpm',
    '/dev',
  ].map((folder) => ['tpm/socketDirectory', folder] as const),
  ['tpm/socketDirectory', '/run/containerd'],
  ['tpm/socketDirectory', '/var/lib/kubelet/pods'],
  ['tpm/socketDirectory', '/var/lib/containers/storage'],
  ['tpm/socketDirectory', '/run/podman'],
  ['tpm/socketDirectory', '/opt/cni/bin'],
  ['tpm/socketDirectory', '/run/tpm}, x: {'],
  ['tpm/socket', '../tpm.sock'],
  ['tpm/group', 'tss'],
  ['tpm/group', 0],
  ['tpm/ekRoots', { 'vendor.pem': 'no certificate' }],
  ['tpm/ekRoots', { '../vendor.pem': '-----BEGIN CERTIFICATE-----' }, "'../vendor.pem' not allowed"],
  ['tpm/ekRoots', { 'other/vendor.pem': '-----BEGIN CERTIFICATE-----' }, "'other/vendor.pem' not allowed"],
  ['tpm/ekAllowList', [{ ekSha256: 'AB' }]],
  ['tpm/ekAllowList', [{ ekSha256: '0a'.repeat(32), trust: 'vendor-root' }]],
  ['agent/maxUnavailable', 0],
  ['agent/maxUnavailable', '0%'],
  ['agent/tolerations', [{ operator: 'Always' }]],
  ['webhook/resources/requests/cpu', 'much'],
  ['webhook/replicas', 3, "'replicas' not allowed"],
  ['certs/nodeSelector', { disk: 1 }],
  ['front/publicNames', ['https://front.example']],
  ['front/seats', -1],
  ['front/service/type', 'ExternalName'],
  ['front/service/port', 0],
  ['front/service/nodePort', 30_000, 'got number, want null'],
  ['front/ingress', { enabled: true }, '/front/publicNames'],
  ['front/gateway', { enabled: true, parentRefs: [{ name: 'edge' }] }, '/front/publicNames'],
  ['front/gateway', { enabled: true }, '/front/gateway/parentRefs'],
  ['front/storage/kind', 'emptyDir'],
  ['front/storage', { kind: 'ephemeral', existingClaim: 'mine' }, '/front/storage/existingClaim'],
  ['front/storage/size', '1 GB'],
  ['front/database/url', 'mysql://db/front'],
  ['front/database', { url: 'postgres://db/front', existingSecret: 'mine' }, '/front/database/url'],
  ['front/database/ca', '/etc/ssl/ca.pem'],
  ['front/database', { importClaim: 'enclave-front' }, '/front/database/existingSecret'],
  ['front/database/connections', 1],
  ['front/database/port', 70_000],
  ['networkPolicy/metricsFrom', [{}]],
  ['networkPolicy/apiServer/to', [{ ipBlock: { cidr: '10.0.0.1' } }]],
  ['networkPolicy/apiServer/ports', []],
  ['podMonitor/interval', 'often'],
  ['prometheusRule/enabled', 1],
  ['crds/install', 'never'],
];

/** What each wrong value is wrong against: the rest of it is right. */
const nested = (path: string, value: unknown): object =>
  path.split('/').reduceRight<unknown>((inner, key) => ({ [key]: inner }), value) as object;

describe('the schema', () => {
  test.each(WRONG.map(([path, value, names]) => ({ path, value, names })))(
    'refuses $path: $value',
    async ({ path, value, names }) => {
      const { code, stderr } = await tryRender({ values: nested(path, value) });
      expect(code).not.toBe(0);
      expect(stderr).toContain("values don't meet the specifications of the schema");
      // The path of the value or of one below it, or of what lacks the key.
      expect(stderr).toContain(names ?? `'/${path}`);
    },
  );

  test('refuses two replicas of front without PostgreSQL, and takes them with either form of it', async () => {
    const { code, stderr } = await tryRender({ values: { ha: true } });
    expect(code).not.toBe(0);
    expect(stderr).toContain('/front/database/existingSecret');
    expect(stderr).toContain('/front/database/url');
    await render({ values: { ha: true, front: { database: { existingSecret: 'database' } } } });
    await render({ values: { ha: true, front: { database: { url: 'postgres://u:p@db/front' } } } });
  });

  test.each(['/run/swtpm', '/var/lib/swtpm/node-1', '/run/docker-tpm'])(
    'takes %s as folder of a TPM’s socket',
    async (folder) => {
      await render({ values: { tpm: { socketDirectory: folder } } });
    },
  );

  test('knows each value and no other', () => {
    const schema = JSON.parse(text('values.schema.json')) as Schema;
    // `global` is helm's own.
    const { global: _, ...known } = schema.properties ?? {};
    compare('', { ...schema, properties: known }, parse(text('values.yaml')));
  });

  test('is closed at every level', () => {
    const open: string[] = [];
    walk('', JSON.parse(text('values.schema.json')) as Schema, (path, { type, additionalProperties }) => {
      if (type === 'object' && additionalProperties === undefined && !/^\/(global|\w+\/affinity)/.test(path))
        open.push(path);
    });
    expect(open).toEqual([]);
  });
});

test('a checkout’s chart says what it lacks: the digest of the sidecar', async () => {
  const { code, stderr } = await tryRender({ values: { images: { digests: { sidecar: '' } } } });
  expect(code).not.toBe(0);
  expect(stderr).toContain('images.digests.sidecar is empty');
  expect(stderr).toContain('make images');
});

test('enclaves do not run in the release’s own namespace', async () => {
  const { code, stderr } = await tryRender({ values: { enclaveNamespaces: ['enclave-licensing'] } });
  expect(code).not.toBe(0);
  expect(stderr).toContain('enclaveNamespaces: enclave-licensing is the release');
});

test('the README’s table is that of values.yaml', () => {
  expect(text('README.md'), 'run node_modules/.bin/node tools/make-chart-readme.ts').toBe(
    withValuesTable(text('README.md'), text('values.yaml')),
  );
});

function compare(path: string, schema: Schema, values: unknown): void {
  if (schema.properties === undefined || typeof values !== 'object' || values === null) return;
  const optional = path.endsWith('/affinity') || path.endsWith('/resources') || path.endsWith('requests');
  if (!optional) expect(Object.keys(values).sort(), path).toEqual(Object.keys(schema.properties).sort());
  for (const [key, inner] of Object.entries(schema.properties))
    compare(`${path}/${key}`, inner, (values as Readonly<Record<string, unknown>>)[key]);
}

function walk(path: string, schema: Schema, visit: (path: string, schema: Schema) => void): void {
  visit(path, schema);
  for (const [key, inner] of Object.entries(schema.properties ?? {})) walk(`${path}/${key}`, inner, visit);
  if (schema.items !== undefined) walk(`${path}[]`, schema.items, visit);
}

test.each(['null', 'true', '2024'])(
  'a namespace of enclaves may be named %s: it stays a text',
  async (name) => {
    const objects = await render({ values: { enclaveNamespaces: [name] } });
    const bound = (account: string) =>
      objects.filter(({ kind, metadata }) => kind === 'RoleBinding' && metadata.name === account);
    expect(bound('enclave-launcher').map(({ metadata }) => metadata.namespace)).toEqual([name]);
    expect(bound('enclave-doctor').map(({ metadata }) => metadata.namespace)).toContain(name);
  },
);

test('front is started again for another database and not for another password, of which nothing stands at its pods', async () => {
  const annotations = async (url: string) => {
    const database = { url, ca: '-----BEGIN CERTIFICATE-----' };
    const objects = await render({ values: { front: { database } } });
    const front = objects.find(
      ({ kind, metadata }) => kind === 'Deployment' && metadata.name === 'enclave-front',
    );
    const spec = front?.['spec'] as { template: { metadata: { annotations: unknown } } } | undefined;
    expect(spec?.template.metadata.annotations).toHaveProperty('checksum/database');
    return JSON.stringify(spec?.template.metadata.annotations);
  };
  const [one, other, elsewhere] = await Promise.all([
    annotations('postgres://front:first@db.example:5432/front'),
    annotations('postgres://front:s@cond@db.example:5432/front'),
    annotations('postgres://front:first@db2.example:5432/front'),
  ]);
  expect(other).toBe(one);
  expect(elsewhere).not.toBe(one);
});
