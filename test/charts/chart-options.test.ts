/** Parts of the chart that a switch brings in, and the chart as it is handed out. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { packageChart } from '../../tools/package-chart.ts';
import { CHART, identityOf, type Rendered, render, SIDECAR_DIGEST, tryRender } from './render.ts';

const directory = mkdtempSync(join(tmpdir(), 'chart-options-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const named = (objects: readonly Rendered[], identity: string): Rendered => {
  const found = objects.find((object) => identityOf(object) === identity);
  if (found === undefined) throw new Error(`no ${identity} among ${objects.map(identityOf).join(', ')}`);
  return found;
};

const OPERATOR = ['PodMonitor', 'PrometheusRule'].flatMap((kind) => [
  '--api-versions',
  `monitoring.coreos.com/v1/${kind}`,
]);

test('pods carry scrape annotations until a PodMonitor selects them', async () => {
  const scraped = (objects: readonly Rendered[]): string[] =>
    objects
      .filter((object) => JSON.stringify(object).includes('prometheus.io/scrape'))
      .map(({ metadata }) => metadata.name)
      .sort();
  expect(scraped(await render())).toEqual([
    ...['enclave-agent', 'enclave-certs', 'enclave-front', 'enclave-launcher', 'enclave-webhook'],
  ]);
  const values = { podMonitor: { enabled: true, labels: { release: 'prometheus' }, interval: '15s' } };
  const objects = await render({ values, args: OPERATOR });
  expect(scraped(objects)).toEqual([]);
  const monitor = named(objects, 'PodMonitor enclave-licensing/enclave-licensing');
  expect(monitor.metadata.labels).toMatchObject({ release: 'prometheus' });
  expect(monitor).toMatchObject({ spec: { podMetricsEndpoints: [{ port: 'health', interval: '15s' }] } });
  // Sidecars, wherever their pods are.
  expect(named(objects, 'PodMonitor enclave-licensing/enclave-licensing-sidecars')).toMatchObject({
    metadata: { labels: { release: 'prometheus' } },
    spec: {
      namespaceSelector: { any: true },
      selector: {},
      podMetricsEndpoints: [{ port: 'enclave-health', interval: '15s' }],
    },
  });
  const { selector } = monitor['spec'] as { selector: { matchLabels: object } };
  expect(selector.matchLabels).toHaveProperty(['app.kubernetes.io/instance'], 'licensing');
  for (const component of ['webhook', 'front'])
    expect(named(objects, `Deployment enclave-licensing/enclave-${component}`)).toMatchObject({
      spec: { template: { metadata: { labels: selector.matchLabels } } },
    });
});

test('the alert rules are those of the file', async () => {
  const values = { prometheusRule: { enabled: true, labels: { release: 'prometheus' } } };
  const rule = named(
    await render({ values, args: OPERATOR }),
    'PrometheusRule enclave-licensing/enclave-licensing',
  );
  expect(rule.metadata.labels).toMatchObject({ release: 'prometheus' });
  expect(rule['spec']).toEqual(parse(readFileSync(join(CHART, 'files/alerts.yaml'), 'utf8')));
});

test('where the Prometheus Operator is missing, it says so', async () => {
  for (const [value, kind] of [
    ['podMonitor', 'PodMonitor'],
    ['prometheusRule', 'PrometheusRule'],
  ] as const) {
    const { code, stderr } = await tryRender({ values: { [value]: { enabled: true } } });
    expect(code).not.toBe(0);
    expect(stderr).toContain(`${value}.enabled: the cluster has no ${kind}`);
  }
});

test('front is reached as the values want it', async () => {
  const service = async (value: object): Promise<Rendered> =>
    named(await render({ values: { front: { service: value } } }), 'Service enclave-licensing/enclave-front');
  expect(await service({ type: 'NodePort', nodePort: 30_447 })).toMatchObject({
    spec: {
      type: 'NodePort',
      externalTrafficPolicy: 'Cluster',
      ports: [{ port: 8447, targetPort: 8447, nodePort: 30_447 }],
    },
  });
  const balanced = { type: 'LoadBalancer', port: 443, externalTrafficPolicy: 'Local' };
  expect(
    await service({ ...balanced, loadBalancerSourceRanges: ['192.0.2.0/24'], annotations: { a: 'b' } }),
  ).toMatchObject({
    metadata: { annotations: { a: 'b' } },
    spec: {
      type: 'LoadBalancer',
      externalTrafficPolicy: 'Local',
      loadBalancerSourceRanges: ['192.0.2.0/24'],
      selector: { 'app.kubernetes.io/name': 'enclave-front' },
      ports: [{ port: 443, targetPort: 8447 }],
    },
  });
});

test('what stands before front passes TLS through by name, and front’s certificate has the names', async () => {
  const publicNames = ['licensing.example', 'lic.example'];
  const annotations = { 'nginx.ingress.kubernetes.io/ssl-passthrough': 'true' };
  const parentRefs = [{ name: 'edge', namespace: 'gateways', sectionName: 'tls' }];
  const objects = await render({
    values: {
      front: {
        publicNames,
        ingress: { enabled: true, className: 'nginx', annotations },
        gateway: { enabled: true, parentRefs },
      },
    },
    args: ['--api-versions', 'gateway.networking.k8s.io/v1alpha2/TLSRoute'],
  });
  const ingress = named(objects, 'Ingress enclave-licensing/enclave-front');
  expect(ingress).toMatchObject({
    metadata: { annotations },
    spec: { ingressClassName: 'nginx', tls: [{ hosts: publicNames }] },
  });
  expect(JSON.stringify(ingress)).not.toContain('secretName');
  const route = named(objects, 'TLSRoute enclave-licensing/enclave-front');
  expect(route).toMatchObject({
    apiVersion: 'gateway.networking.k8s.io/v1alpha2',
    spec: {
      parentRefs,
      hostnames: publicNames,
      rules: [{ backendRefs: [{ name: 'enclave-front', port: 8447 }] }],
    },
  });
  for (const [component, flag] of [
    ['certs', '--front-names'],
    ['front', '--public-names'],
  ])
    expect(JSON.stringify(named(objects, `Deployment enclave-licensing/enclave-${component}`))).toContain(
      `"${flag}=licensing.example,lic.example"`,
    );
});

test('the packaged chart installs without a value', async () => {
  const digests = Object.fromEntries(
    ['webhook', 'sidecar', 'agent', 'certs', 'front', 'launcher', 'enclavectl'].map((name) => [
      name,
      SIDECAR_DIGEST.replace('5c', name.length.toString(16).padStart(2, '0')),
    ]),
  );
  const file = join(directory, 'images.yaml');
  writeFileSync(file, stringify({ images: { registry: 'registry.example/e', tag: '0.1.0', digests } }));
  const chart = await packageChart(file, directory);
  const objects = await render({ chart, bare: true });
  const text = JSON.stringify(objects);
  for (const [name, digest] of Object.entries(digests))
    expect(text).toContain(
      `registry.example/e/${name === 'enclavectl' ? name : `enclave-${name}`}@${digest}`,
    );
  expect(text).not.toMatch(/registry\.enclave-licensing\.internal/);
});

const DEPLOYED = ['webhook', 'launcher'].map((name) => `Deployment enclave-licensing/enclave-${name}`);
interface PodTemplate {
  readonly template: {
    readonly spec: { readonly containers: readonly [{ readonly args: readonly string[] }] };
  };
}

test('sidecars of the release before are known to agents, webhook and launcher, and none is named twice', async () => {
  const former = `registry.example/enclave-sidecar@sha256:${'4b'.repeat(32)}`;
  const args = async (formerSidecars: readonly string[]): Promise<Readonly<Record<string, string[]>>> => {
    const objects = await render({ values: { images: { registry: 'registry.example', formerSidecars } } });
    return Object.fromEntries(
      ['DaemonSet enclave-licensing/enclave-agent', ...DEPLOYED].map((identity) => {
        const { template } = named(objects, identity)['spec'] as PodTemplate;
        const [container] = template.spec.containers;
        return [identity, container.args.filter((arg) => arg.includes('sidecar-images='))];
      }),
    );
  };
  const current = `registry.example/enclave-sidecar@${SIDECAR_DIGEST}`;
  const [agent, webhook, launcher] = Object.values(await args([former, current]));
  expect(agent).toEqual([`--sidecar-images=${current},${former}`]);
  for (const told of [webhook, launcher]) expect(told).toEqual([`--former-sidecar-images=${former}`]);
  const [alone, ...others] = Object.values(await args([]));
  expect(alone).toEqual([`--sidecar-images=${current}`]);
  expect(others).toEqual([[], []]);
});

interface PolicySpec {
  readonly ingress: readonly { readonly ports: readonly object[]; readonly from?: readonly object[] }[];
  readonly egress: readonly {
    readonly ports?: readonly { port: unknown }[];
    readonly to?: readonly object[];
  }[];
}

test('network policies: who calls certificate service and webhook, where the values say where nodes are', async () => {
  const policies = async (networkPolicy: object): Promise<(component: string) => PolicySpec> => {
    const objects = await render({ values: { networkPolicy } });
    return (component) =>
      named(objects, `NetworkPolicy enclave-licensing/enclave-${component}`)['spec'] as PolicySpec;
  };
  const component = (name: string): object => ({
    podSelector: { matchLabels: { 'app.kubernetes.io/name': `enclave-${name}` } },
  });
  const [nodes, api] = ['10.0.0.0/16', '10.1.0.1/32'].map((cidr) => ({ ipBlock: { cidr } }));
  const closed = await policies({ nodes: [nodes], apiServer: { to: [api], ports: [6443] }, metricsFrom: [] });
  const open = await policies({});
  const callers: Readonly<Record<string, readonly unknown[]>> = {
    webhook: [nodes],
    certs: [nodes, component('front'), component('launcher')],
  };
  for (const [name, from] of Object.entries(callers)) {
    expect(closed(name).ingress.map((rule) => rule.from)).toEqual([from]);
    expect(open(name).ingress[0]).not.toHaveProperty('from');
  }
  // Users come from anywhere; the launcher is front's alone, in both.
  for (const policy of [open, closed]) {
    expect(policy('front').ingress[0]).not.toHaveProperty('from');
    expect(policy('launcher').ingress[0]?.from).toEqual([component('front')]);
  }
  expect(closed('launcher').egress).toContainEqual({ ports: [{ port: 6443 }], to: [api] });
  const objects = await render({ values: { networkPolicy: { enabled: false } } });
  expect(objects.filter(({ kind }) => kind === 'NetworkPolicy')).toEqual([]);
});

test('what an operator sets for all components, or for one, reaches it', async () => {
  const objects = await render({
    values: {
      images: { pullSecrets: ['regcred'] },
      logLevel: 'debug',
      requireIsolation: false,
      front: { tokenNamespaces: ['apps', 'web'] },
    },
  });
  for (const component of ['agent', 'certs', 'webhook', 'launcher', 'front']) {
    const kind = component === 'agent' ? 'DaemonSet' : 'Deployment';
    const { template } = named(objects, `${kind} enclave-licensing/enclave-${component}`)[
      'spec'
    ] as PodTemplate;
    expect(template.spec).toMatchObject({ imagePullSecrets: [{ name: 'regcred' }] });
    const { args } = template.spec.containers[0];
    expect(args).toContain('--log-level=debug');
    if (component === 'launcher') expect(args).toContain('--require-isolation=false');
    if (component === 'front') expect(args).toContain('--token-namespaces=apps,web');
  }
});
