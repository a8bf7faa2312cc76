/**
 * A cluster with the product installed, as an operator would: the chart's plain objects by `kubectl apply`, then the components as
 * bare pods. The demo and the end-to-end tests stand on it.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseAllDocuments } from 'yaml';
import { DEFAULT_RELEASE_NAMESPACE, ROOTS_CONFIG_MAP, ROOTS_KEY } from '../../names/components.ts';
import { ENABLED, INJECTION_LABEL } from '../../names/labels.ts';
import { type Cluster, startCluster } from '../../test/support/cluster.ts';
import { kubectlPath } from '../../test/support/kubectl.ts';
import { type Catalogue, catalogue } from './catalogue.ts';
import { type CommandResult, command, mustRun } from './command.ts';
import { componentPods, type Release } from './component-pods.ts';
import { launcherBinding } from './launcher-binding.ts';

export const ENCLAVE_NAMESPACE = 'enclaves';
export const FRONT_NAME = 'front.enclave-licensing.internal';

export interface Environment {
  readonly directory: string;
  readonly cluster: Cluster;
  readonly catalogue: Catalogue;
  readonly release: Release;
  /** The operator's roots file, as handed to users. */
  readonly rootsFile: string;
  /** host:port of front. */
  readonly frontAddress: string;
  /** kubectl as the cluster's administrator. */
  kubectl(args: readonly string[], input?: string): Promise<string>;
  tryKubectl(args: readonly string[], input?: string): Promise<CommandResult>;
  stop(): Promise<void>;
}

export interface EnvironmentOptions {
  /** Everything that the environment writes lies below this folder. */
  readonly directory: string;
  readonly nodes?: number;
  readonly requireIsolation?: boolean;
  readonly seats?: number;
  /** Told what happens, one line each. */
  readonly progress?: (line: string) => void;
  readonly signal?: AbortSignal;
}

const OBJECTS = resolve('charts/licensing/files');
/** Namespaces and definitions before what lives in them. */
const FIRST = ['namespace.yaml', 'crds.yaml'];

interface PodList {
  readonly items: readonly {
    readonly metadata: { readonly name: string };
    readonly status?: {
      readonly phase?: string;
      readonly conditions?: readonly { readonly type: string; readonly status: string }[];
    };
  }[];
}

export async function startEnvironment(options: EnvironmentOptions): Promise<Environment> {
  const say = options.progress ?? (() => undefined);
  const directory = resolve(options.directory);
  await mkdir(join(directory, 'state'), { recursive: true });
  const images = catalogue(resolve('dist'), process.execPath);
  const catalogueFile = join(directory, 'catalogue.json');
  writeFileSync(catalogueFile, JSON.stringify(images));
  const kubectlProgram = await kubectlPath();
  // Short, wherever the checkout lies: Unix sockets' paths end at 107 bytes.
  const clusterDirectory = mkdtempSync(join(tmpdir(), 'ec-'));
  const cluster = await startCluster({
    directory: clusterDirectory,
    nodes: options.nodes ?? 2,
    catalogueFile,
  });
  const stop = async (): Promise<void> => {
    await cluster.stop();
    rmSync(clusterDirectory, { recursive: true, force: true });
  };
  try {
    say(`cluster up: ${cluster.api}, nodes ${cluster.nodes.map(({ name }) => name).join(', ')}`);
    const tryKubectl = (args: readonly string[], input?: string): Promise<CommandResult> =>
      command(kubectlProgram, args, {
        env: { KUBECONFIG: cluster.kubeconfig, HOME: directory },
        ...(input === undefined ? {} : { input }),
        ...(options.signal === undefined ? {} : { signal: options.signal }),
      });
    const kubectl = (args: readonly string[], input?: string): Promise<string> =>
      mustRun(kubectlProgram, args, {
        env: { KUBECONFIG: cluster.kubeconfig, HOME: directory },
        ...(input === undefined ? {} : { input }),
        ...(options.signal === undefined ? {} : { signal: options.signal }),
      });
    const rest = readdirSync(OBJECTS).filter((file) => file.endsWith('.yaml') && !FIRST.includes(file));
    for (const files of [FIRST, rest])
      await kubectl(['apply', ...files.flatMap((file) => ['-f', join(OBJECTS, file)])]);
    const services = await serviceAddresses(kubectl);
    const release: Release = {
      catalogue: images,
      namespace: DEFAULT_RELEASE_NAMESPACE,
      enclaveNamespaces: [ENCLAVE_NAMESPACE],
      nodes: cluster.nodes.map(({ name, tpm }) => ({ name, tpmDirectory: resolve(tpm, '..') })),
      stateDirectory: join(directory, 'state'),
      ekRootsDirectory: cluster.ekRootsDir,
      frontNames: [FRONT_NAME],
      requireIsolation: options.requireIsolation ?? true,
      seats: options.seats ?? 3,
      webhookConfigurations: webhookConfigurationNames(),
      services,
    };
    const namespace = {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: ENCLAVE_NAMESPACE, labels: { [INJECTION_LABEL]: ENABLED } },
    };
    // The launcher may act in the namespaces it is given, and nowhere else.
    const launcherRights = launcherBinding(ENCLAVE_NAMESPACE, DEFAULT_RELEASE_NAMESPACE);
    const items = [namespace, launcherRights, ...componentPods(release)];
    await kubectl(['apply', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
    say('components created');
    await ready(kubectl, release, say);
    const rootsFile = join(directory, 'roots.json');
    const configMap = JSON.parse(
      await kubectl(['get', 'configmap', ROOTS_CONFIG_MAP, '-n', release.namespace, '-o', 'json']),
    ) as { data: Record<string, string> };
    writeFileSync(rootsFile, configMap.data[ROOTS_KEY] ?? '');
    return {
      directory,
      cluster,
      catalogue: images,
      release,
      rootsFile,
      frontAddress: services['enclave-front'] ?? '',
      kubectl,
      tryKubectl,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Every component pod Ready, or an error that names those that are not and shows their last lines. */
async function ready(
  kubectl: Environment['kubectl'],
  release: Release,
  say: (line: string) => void,
): Promise<void> {
  const deadline = performance.now() + 60_000;
  const seen = new Set<string>();
  for (;;) {
    const list = JSON.parse(await kubectl(['get', 'pods', '-n', release.namespace, '-o', 'json'])) as PodList;
    const waiting: string[] = [];
    for (const { metadata, status } of list.items) {
      if (!status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True'))
        waiting.push(metadata.name);
      else if (!seen.has(metadata.name)) {
        seen.add(metadata.name);
        say(`ready: ${metadata.name}`);
      }
    }
    if (waiting.length === 0 && list.items.length > 0) return;
    if (performance.now() > deadline) {
      const logs = await Promise.all(waiting.map((name) => lastWords(kubectl, release.namespace, name)));
      throw new Error(`not ready after 60 s: ${waiting.map((name, i) => `${name}:\n${logs[i]}`).join('\n')}`);
    }
    await pause(200);
  }
}

async function lastWords(kubectl: Environment['kubectl'], namespace: string, pod: string): Promise<string> {
  const text = await kubectl(['logs', pod, '-n', namespace, '--tail=8']).catch(
    (error: Error) => error.message,
  );
  return text
    .split('\n')
    .map((line) => line.slice(0, 300))
    .join('\n');
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
