import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { ENCLAVE_LABEL } from '../../names/labels.ts';
import { freePorts } from '../../tools/cluster/free-ports.ts';
import { until } from '../support/until.ts';
import { launch, startWorld, type World } from '../support/world.ts';
import { metaLabel, podDiscovery } from './pod-discovery.ts';

/** Debian's Prometheus, told of no pod: components are found by their annotations, enclaves by their label. */
let world: World;
let prometheus: ChildProcess;
let listen: string;
let discovery: { url: string; close(): void };

beforeAll(async () => {
  world = await startWorld();
  const { environment } = world;
  const outcome = await launch(await world.user('alice'));
  expect(outcome.code, outcome.output).toBe(0);
  const [free] = await freePorts(1);
  listen = `127.0.0.1:${free}`;
  const folder = join(environment.directory, 'prometheus');
  mkdirSync(folder);
  discovery = await podDiscovery(environment);
  const pods = { url: discovery.url, refresh_interval: '2s' };
  const named = [
    { source_labels: ['__meta_kubernetes_namespace'], target_label: 'namespace' },
    { source_labels: ['__meta_kubernetes_pod_name'], target_label: 'pod' },
    { source_labels: [metaLabel('label', 'app.kubernetes.io/name')], target_label: 'component' },
  ];
  const port = {
    source_labels: ['__meta_kubernetes_pod_ip'],
    replacement: '$1:9464',
    target_label: '__address__',
  };
  writeFileSync(
    join(folder, 'prometheus.yml'),
    stringify({
      global: { scrape_interval: '2s', scrape_timeout: '2s', evaluation_interval: '2s' },
      rule_files: [resolve('charts/licensing/files/alerts.yaml')],
      scrape_configs: [
        {
          job_name: 'components',
          http_sd_configs: [pods],
          relabel_configs: [
            {
              source_labels: [metaLabel('annotation', 'prometheus.io/scrape')],
              regex: 'true',
              action: 'keep',
            },
            port,
            ...named,
          ],
        },
        {
          job_name: 'enclaves',
          http_sd_configs: [pods],
          relabel_configs: [
            { source_labels: [metaLabel('labelpresent', ENCLAVE_LABEL)], regex: 'true', action: 'keep' },
            port,
            ...named,
          ],
        },
      ],
    }),
  );
  prometheus = spawn(
    'prometheus',
    [
      ...[`--config.file=${folder}/prometheus.yml`, `--storage.tsdb.path=${folder}/data`],
      ...[`--web.listen-address=${listen}`, '--log.level=warn'],
    ],
    { stdio: 'inherit' },
  );
});
afterAll(async () => {
  if (prometheus?.exitCode === null) {
    prometheus.kill('SIGTERM');
    await once(prometheus, 'exit');
  }
  discovery?.close();
  await world?.stop();
});

async function api<T>(path: string): Promise<T | undefined> {
  const answer = await fetch(`http://${listen}/api/v1/${path}`).catch(() => undefined);
  return answer?.ok ? ((await answer.json()) as { data: T }).data : undefined;
}

interface Target {
  readonly health: string;
  readonly lastError: string;
  readonly labels: { readonly job: string; readonly component?: string; readonly pod: string };
}

test('every component, on every node, and every enclave is found and scraped', async () => {
  const nodes = world.environment.cluster.nodes.length;
  let seen: readonly Target[] = [];
  await until(
    'every target is up',
    async () => {
      seen = (await api<{ activeTargets: Target[] }>('targets'))?.activeTargets ?? [];
      return seen.length > 0 && seen.every(({ health }) => health === 'up');
    },
    60_000,
  ).catch((error: Error) => {
    const down = seen.filter(({ health }) => health !== 'up');
    throw new Error(
      `${error.message}: ${down.map(({ labels, lastError }) => `${labels.pod}: ${lastError}`)}`,
    );
  });
  const count = (component: string): number =>
    seen.filter(({ labels }) => labels.component === `enclave-${component}`).length;
  expect(count('agent')).toBe(nodes);
  for (const component of ['certs', 'front', 'launcher', 'webhook'])
    expect(count(component)).toBeGreaterThan(0);
  expect(seen.filter(({ labels }) => labels.job === 'enclaves')).toHaveLength(1);
});

test('what they say is what dashboards ask for', async () => {
  const value = async (query: string): Promise<number> => {
    const data = await api<{ result: readonly { value: [number, string] }[] }>(
      `query?query=${encodeURIComponent(query)}`,
    );
    return Number(data?.result[0]?.value[1]);
  };
  await until('two scrapes', async () => (await value('sum(enclave_front_launches_total)')) >= 1, 30_000);
  expect(await value('sum(enclave_agent_tpm_up)')).toBe(world.environment.cluster.nodes.length);
  expect(await value('sum(enclave_webhook_reviews_total)')).toBeGreaterThan(0);
  expect(await value('sum(enclave_launcher_launches_total)')).toBeGreaterThan(0);
  expect(await value('max(enclave_certs_trust_document_version)')).toBeGreaterThan(0);
});

test('the alert rules load, and none is critical on an installation that works', async () => {
  const { groups } = (await api<{
    groups: { rules: { name: string; state: string; labels: { severity: string }; lastError?: string }[] }[];
  }>('rules')) ?? { groups: [] };
  const rules = groups.flatMap((group) => group.rules);
  expect(rules.length).toBeGreaterThan(10);
  expect(rules.filter(({ lastError }) => lastError)).toEqual([]);
  expect(rules.filter(({ state, labels }) => state === 'firing' && labels.severity === 'critical')).toEqual(
    [],
  );
});
