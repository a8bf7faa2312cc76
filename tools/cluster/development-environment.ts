/**
 * The product on the development cluster: the chart's plain objects by `kubectl apply`, then the components as bare pods.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { DEFAULT_RELEASE_NAMESPACE } from '../../names/components.ts';
import { ENABLED, INJECTION_LABEL } from '../../names/labels.ts';
import { type ClusterOptions, startCluster } from '../../test/support/cluster.ts';
import { until } from '../../test/support/until.ts';
import { catalogue } from './catalogue.ts';
import { componentPods, type Release } from './component-pods.ts';
import { ENCLAVE_NAMESPACE, type Environment, type EnvironmentOptions, FRONT_NAME } from './environment.ts';
import { launcherBinding } from './launcher-binding.ts';
import { applyObjects, componentsReady, operatorOf, writeRoots } from './operate.ts';
import { readIfThere, runningProcesses } from './running-processes.ts';

const OBJECTS = resolve('charts/licensing/files');
const DATABASE_SECRET = 'enclave-front-database';
/** Namespaces and definitions before what lives in them. */
const FIRST = ['namespace.yaml', 'crds.yaml'];
/** Rules for Prometheus: no objects. */
const NO_OBJECTS = ['alerts.yaml'];

/** @param started what the cluster is started with besides */
export async function developmentEnvironment(
  options: EnvironmentOptions,
  started: Pick<ClusterOptions, 'program' | 'apiFlags'> = {},
): Promise<Environment> {
  const say = options.progress ?? (() => undefined);
  const directory = resolve(options.directory);
  await mkdir(directory, { recursive: true });
  const images = catalogue(resolve('dist'), process.execPath);
  const catalogueFile = join(directory, 'catalogue.json');
  writeFileSync(catalogueFile, JSON.stringify(images));
  // Short, wherever the checkout lies: Unix sockets' paths end at 107 bytes.
  const clusterDirectory = mkdtempSync(join(tmpdir(), 'ec-'));
  const cluster = await startCluster({
    directory: clusterDirectory,
    nodes: options.nodes ?? 2,
    catalogueFile,
    ...started,
  });
  const stop = async (): Promise<void> => {
    await cluster.stop();
    rmSync(clusterDirectory, { recursive: true, force: true });
  };
  try {
    say(`cluster up: ${cluster.api}, nodes ${cluster.nodes.map(({ name }) => name).join(', ')}`);
    const operator = await operatorOf(cluster.kubeconfig, directory, options.signal);
    const { kubectl } = operator;
    const rest = readdirSync(OBJECTS).filter(
      (file) => file.endsWith('.yaml') && ![...FIRST, ...NO_OBJECTS].includes(file),
    );
    for (const files of [FIRST, rest])
      await kubectl(['apply', ...files.flatMap((file) => ['-f', join(OBJECTS, file)])]);
    const services = await serviceAddresses(kubectl);
    const release: Release = {
      catalogue: images,
      namespace: DEFAULT_RELEASE_NAMESPACE,
      enclaveNamespaces: [ENCLAVE_NAMESPACE],
      nodes: cluster.nodes.map(({ name, tpm }) => ({ name, tpmDirectory: resolve(tpm, '..') })),
      ekRootsDirectory: cluster.ekRootsDir,
      frontNames: [FRONT_NAME],
      requireIsolation: options.requireIsolation ?? true,
      seats: options.seats ?? 3,
      webhookConfigurations: webhookConfigurationNames(),
      services,
      ...(options.databaseUrl !== undefined && { databaseSecret: DATABASE_SECRET }),
    };
    const namespace = {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: ENCLAVE_NAMESPACE, labels: { [INJECTION_LABEL]: ENABLED } },
    };
    // The launcher may act in the namespaces it is given, and nowhere else.
    const launcherRights = launcherBinding(ENCLAVE_NAMESPACE, DEFAULT_RELEASE_NAMESPACE);
    const database = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: DATABASE_SECRET, namespace: release.namespace },
      stringData: { url: options.databaseUrl },
    };
    const items = [
      namespace,
      launcherRights,
      ...(options.databaseUrl === undefined ? [] : [database]),
      ...componentPods(release),
    ];
    await applyObjects(kubectl, items);
    say('components created');
    await componentsReady(operator, release.namespace, say);
    const running: Environment['processes'] = (component, enclave) =>
      runningProcesses(({ command, environment }) => {
        if (!command.includes(`dist/${component}/main.js`)) return false;
        return enclave === undefined
          ? command.includes(clusterDirectory)
          : environment.includes(`_ENCLAVE=${enclave}\0`);
      });
    return {
      directory,
      cluster,
      catalogue: images,
      releaseNamespace: release.namespace,
      seats: release.seats,
      rootsFile: await writeRoots(kubectl, release.namespace, directory),
      frontAddress: services['enclave-front'] ?? '',
      ...operator,
      replicas: async (component, count) => {
        const pods = componentPods(release) as BarePod[];
        const first = pods.find(({ metadata }) => metadata.name === component);
        const names = Array.from({ length: count }, (_none, i) =>
          i === 0 ? component : `${component}-${i + 1}`,
        );
        const items = names.map((name) => ({ ...first, metadata: { ...first?.metadata, name } }));
        const selected = ['pods', '-n', release.namespace, '-l', `app.kubernetes.io/name=${component}`];
        const there = JSON.parse(await kubectl(['get', ...selected, '-o', 'json'])) as { items: BarePod[] };
        for (const { metadata } of there.items)
          if (!names.includes(metadata.name))
            await kubectl(['delete', 'pod', metadata.name, '-n', release.namespace]);
        if (count > 0) await applyObjects(kubectl, items);
        await until(
          `${count} of ${component} run`,
          async () => running(component.slice('enclave-'.length)).length === count,
        );
        await componentsReady(operator, release.namespace);
      },
      processes: running,
      logs: async () =>
        new Map(
          readdirSync(clusterDirectory, { recursive: true, encoding: 'utf8' })
            .filter((file) => file.endsWith('.log'))
            .map((file) => [file, readIfThere(join(clusterDirectory, file))]),
        ),
      stop: async () => {
        operator.kube.close();
        await stop();
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

interface BarePod {
  readonly metadata: { readonly name: string };
}

async function serviceAddresses(kubectl: Environment['kubectl']): Promise<Record<string, string>> {
  const list = JSON.parse(
    await kubectl(['get', 'services', '-n', DEFAULT_RELEASE_NAMESPACE, '-o', 'json']),
  ) as {
    items: { metadata: { name: string }; spec: { clusterIP: string; ports: { port: number }[] } }[];
  };
  return Object.fromEntries(
    list.items.map(({ metadata, spec }) => [metadata.name, `${spec.clusterIP}:${spec.ports[0]?.port}`]),
  );
}

/** `Kind/name` of the webhook configurations among the chart's objects. */
function webhookConfigurationNames(): string[] {
  const names = new Set<string>();
  for (const file of readdirSync(OBJECTS).filter((each) => each.endsWith('.yaml')))
    for (const document of parseAllDocuments(readFileSync(join(OBJECTS, file), 'utf8'))) {
      const object = document.toJS() as { kind?: string; metadata?: { name?: string } } | null;
      if (object?.kind?.endsWith('WebhookConfiguration') && object.metadata?.name)
        names.add(object.metadata.name);
    }
  return [...names];
}
