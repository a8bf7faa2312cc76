/** The product on a cluster, as an operator would put it there: helm, the demo's profile, and what `enclavectl` needs to know. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DEFAULT_RELEASE_NAMESPACE, ROOTS_CONFIG_MAP, ROOTS_KEY } from '../../../names/components.ts';
import { ENABLED, INJECTION_LABEL } from '../../../names/labels.ts';
import { helmPath } from '../../../test/support/helm.ts';
import { kubectlPath } from '../../../test/support/kubectl.ts';
import type { Catalogue } from '../../cluster/catalogue.ts';
import { mustRun } from '../../cluster/command.ts';
import { ENCLAVE_NAMESPACE } from '../../cluster/environment.ts';
import { profileObject, writeSettings, writeShellEnvironment } from '../../demo/operator.ts';
import type { Settings } from '../../demo/people.ts';

const RELEASE = 'licensing';
const IMAGES = resolve('dist/images');
const READY_MS = 120_000;

export interface InstallationOptions {
  /** `.cluster` of the checkout. */
  readonly folder: string;
  readonly kubeconfig: string;
  /** The chart's values besides the images. */
  readonly values: object;
  /** Values files of the operator's, stronger than `values`. */
  readonly valuesFiles: readonly string[];
  /** Applied before the chart. */
  readonly objects: readonly object[];
  /** host:port of front, as users reach it. */
  readonly frontAddress: string;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

/** Installs or upgrades; resolves when every component is Ready and the demo's profile published. */
export async function install(options: InstallationOptions): Promise<Settings> {
  const { folder, kubeconfig, say, signal } = options;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const environment = { env: { KUBECONFIG: kubeconfig, HOME: folder }, signal, timeoutMs: 120_000 };
  const kubectlProgram = await kubectlPath();
  const kubectl = (args: readonly string[], input = ''): Promise<string> =>
    mustRun(kubectlProgram, args, { ...environment, input });
  const apply = (items: readonly object[]): Promise<string> =>
    kubectl(['apply', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
  await apply([releaseNamespace(), ...options.objects]);
  const values = join(folder, 'values.json');
  writeFileSync(values, JSON.stringify(options.values, undefined, 2));
  const begun = performance.now();
  await mustRun(
    await helmPath(),
    [
      ...['upgrade', '--install', RELEASE, 'charts/licensing', '--namespace', DEFAULT_RELEASE_NAMESPACE],
      ...[join(IMAGES, 'values.yaml'), values, ...options.valuesFiles].flatMap((file) => ['-f', file]),
    ],
    environment,
  );
  say('helm: release installed');
  await untilReady(kubectl, say, signal);
  say(`everything Ready ${((performance.now() - begun) / 1000).toFixed(1)} s after helm was called`);
  const catalogue = builtCatalogue();
  await kubectl(['label', '--overwrite', 'namespace', ENCLAVE_NAMESPACE, `${INJECTION_LABEL}=${ENABLED}`]);
  await apply([profileObject({ catalogue })]);
  const rootsFile = join(folder, 'roots.json');
  const escaped = ROOTS_KEY.replaceAll('.', '\\.');
  writeFileSync(
    rootsFile,
    await kubectl([
      ...['get', 'configmap', ROOTS_CONFIG_MAP, '--namespace', DEFAULT_RELEASE_NAMESPACE],
      ...['-o', `jsonpath={.data.${escaped}}`],
    ]),
  );
  const settings = writeSettings({
    catalogue,
    directory: folder,
    frontAddress: options.frontAddress,
    rootsFile,
  });
  await writeShellEnvironment(folder, kubeconfig, settings);
  return settings;
}

/** The agent is on the node's network and opens its TPM: the release's namespace is privileged, as the chart's README says. */
function releaseNamespace(): object {
  const level = 'pod-security.kubernetes.io';
  return {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: {
      name: DEFAULT_RELEASE_NAMESPACE,
      labels: {
        [`${level}/enforce`]: 'privileged',
        [`${level}/warn`]: 'restricted',
        [`${level}/audit`]: 'restricted',
      },
    },
  };
}

/** What `make images` built, by repository. */
function builtCatalogue(): Catalogue {
  const images = JSON.parse(readFileSync(join(IMAGES, 'images.json'), 'utf8')) as Record<
    string,
    { reference: string; digest: string }
  >;
  return {
    images: Object.fromEntries(
      Object.values(images).map(({ reference, digest }) => [
        reference.slice(0, reference.indexOf('@')),
        { digest, command: [] },
      ]),
    ),
  };
}

interface Workload {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly generation: number };
  readonly spec: { readonly replicas?: number };
  readonly status: {
    readonly observedGeneration?: number;
    readonly updatedReplicas?: number;
    readonly readyReplicas?: number;
    readonly replicas?: number;
    readonly desiredNumberScheduled?: number;
    readonly updatedNumberScheduled?: number;
    readonly numberReady?: number;
  };
}

/** Rolled out to the last replica, of the generation that was asked for. */
function isReady({ kind, metadata, spec, status }: Workload): boolean {
  if ((status.observedGeneration ?? 0) < metadata.generation) return false;
  if (kind === 'DaemonSet') {
    const wanted = status.desiredNumberScheduled ?? 0;
    return wanted > 0 && status.updatedNumberScheduled === wanted && status.numberReady === wanted;
  }
  const wanted = spec.replicas ?? 1;
  return status.updatedReplicas === wanted && status.readyReplicas === wanted && status.replicas === wanted;
}

async function untilReady(
  kubectl: (args: readonly string[]) => Promise<string>,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const deadline = performance.now() + READY_MS;
  const seen = new Set<string>();
  for (;;) {
    signal.throwIfAborted();
    const list = JSON.parse(
      await kubectl(['get', 'deployments,daemonsets', '-n', DEFAULT_RELEASE_NAMESPACE, '-o', 'json']),
    ) as { items: Workload[] };
    for (const { metadata } of list.items.filter(isReady))
      if (!seen.has(metadata.name)) {
        seen.add(metadata.name);
        say(`ready: ${metadata.name}`);
      }
    const waiting = list.items.filter((each) => !isReady(each));
    if (waiting.length === 0 && list.items.length > 0) return;
    if (performance.now() > deadline) throw new Error(await whatIsWrong(kubectl, waiting));
    await sleep(250);
  }
}

async function whatIsWrong(
  kubectl: (args: readonly string[]) => Promise<string>,
  waiting: readonly Workload[],
): Promise<string> {
  const namespace = ['-n', DEFAULT_RELEASE_NAMESPACE];
  const parts = await Promise.all([
    kubectl(['get', 'pods', ...namespace, '-o', 'wide']),
    kubectl(['get', 'events', ...namespace, '--field-selector=type=Warning']),
    ...waiting.map(({ kind, metadata }) =>
      kubectl(['logs', `${kind}/${metadata.name}`, ...namespace, '--tail=6']).catch(
        (error: Error) => error.message,
      ),
    ),
  ]);
  const names = waiting.map(({ metadata }) => metadata.name).join(', ');
  return `not Ready after ${READY_MS / 1000} s: ${names}\n${parts.map((part) => part.slice(-3000)).join('\n')}`;
}
