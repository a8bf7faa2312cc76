import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { freePorts } from '../../tools/cluster/free-ports.ts';
import { until } from '../support/until.ts';
import { launch, startWorld, type World } from '../support/world.ts';
import { metaLabel, podDiscovery } from './pod-discovery.ts';
import { COMPONENTS, prometheusConfig, SIDECARS } from './prometheus-config.ts';

/** Debian's Prometheus, told of no pod: components are found by their annotations, enclaves by the job that docs/operating.md hands out. */
let world: World;
let enclave: string;
let prometheus: ChildProcess;
let listen: string;
let discovery: { url: string; close(): void };

const COMPONENT_LABEL = metaLabel('label', 'app.kubernetes.io/name');

beforeAll(async () => {
  world = await startWorld();
  const { environment } = world;
  const outcome = await launch(await world.user('alice'));
  expect(outcome.code, outcome.output).toBe(0);
  enclave = outcome.enclave;
  const [free] = await freePorts(1);
  listen = `127.0.0.1:${free}`;
  const folder = join(environment.directory, 'prometheus');
  mkdirSync(folder);
  discovery = await podDiscovery(environment);
  writeFileSync(join(folder, 'prometheus.yml'), stringify(prometheusConfig(discovery.url)));
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
  readonly labels: { readonly job: string };
  readonly discoveredLabels: Readonly<Record<string, string>>;
}

test('every component, on every node, and every enclave is found and scraped', async () => {
  const nodes = world.environment.cluster.nodes.length;
  const pod = ({ discoveredLabels }: Target): string | undefined =>
    discoveredLabels['__meta_kubernetes_pod_name'];
  let seen: readonly Target[] = [];
  const of = (job: string): Target[] => seen.filter(({ labels }) => labels.job === job);
  await until(
    'both jobs have targets, and all of them are up',
    async () => {
      seen = (await api<{ activeTargets: Target[] }>('targets'))?.activeTargets ?? [];
      const found = [COMPONENTS, SIDECARS].every((job) => of(job).length > 0);
      return found && seen.every(({ health }) => health === 'up');
    },
    60_000,
  ).catch((error: Error) => {
    const said = seen.map(
      (target) => `${target.labels.job} ${pod(target)} ${target.health} ${target.lastError}`,
    );
    throw new Error([error.message, ...said].join('\n'));
  });
  const count = (component: string): number =>
    of(COMPONENTS).filter(
      ({ discoveredLabels }) => discoveredLabels[COMPONENT_LABEL] === `enclave-${component}`,
    ).length;
  expect(count('agent')).toBe(nodes);
  for (const component of ['certs', 'front', 'launcher', 'webhook'])
    expect(count(component)).toBeGreaterThan(0);
  expect(of(SIDECARS).filter((target) => pod(target) === enclave)).toHaveLength(1);
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
  expect(await value('min(enclave_sidecar_trust_document_version)')).toBeGreaterThan(0);
});

interface RuleGroup {
  readonly name: string;
  /** When its newest evaluation that is done began. */
  readonly lastEvaluation: string;
  readonly rules: readonly {
    readonly name: string;
    readonly state: 'inactive' | 'pending' | 'firing';
    readonly labels: { readonly severity: string };
    readonly health: string;
    readonly lastError?: string;
  }[];
}

test('every alert rule evaluates, and none that is critical waits to fire on an installation that works', async () => {
  const began = Date.now();
  const evaluations = new Map<string, Set<string>>();
  let groups: readonly RuleGroup[] = [];
  const rules = (): RuleGroup['rules'] => groups.flatMap((group) => group.rules);
  // Each has to hold for a minute or more before it fires, and Prometheus has just begun: what can be seen is that one is pending. For some seconds one may be.
  const stirred = (): string[] =>
    rules()
      .filter(({ state, labels }) => state !== 'inactive' && labels.severity === 'critical')
      .map(({ name, state }) => `${name} is ${state}`);
  await until(
    'two evaluations of every group, and no critical alert',
    async () => {
      groups = (await api<{ groups: RuleGroup[] }>('rules'))?.groups ?? [];
      for (const { name, lastEvaluation } of groups)
        if (Date.parse(lastEvaluation) > began)
          evaluations.set(name, (evaluations.get(name) ?? new Set()).add(lastEvaluation));
      const twice = groups.every(({ name }) => (evaluations.get(name)?.size ?? 0) >= 2);
      return groups.length > 0 && twice && stirred().length === 0;
    },
    60_000,
  ).catch((error: Error) => {
    throw new Error(`${error.message}: ${stirred().join(', ') || 'too few evaluations'}`);
  });
  expect(rules().length).toBeGreaterThan(10);
  expect(rules().filter(({ health }) => health !== 'ok')).toEqual([]);
});
