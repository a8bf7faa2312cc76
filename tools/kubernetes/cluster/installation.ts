/** The product on a cluster, as an operator would put it there: helm, the demo's profile, and what `enclavectl` needs to know. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { DEFAULT_RELEASE_NAMESPACE } from '../../../names/components.ts';
import { ENABLED, INJECTION_LABEL } from '../../../names/labels.ts';
import { ENCLAVE_NAMESPACE, type Environment, RELEASE_NAME } from '../../cluster/environment.ts';
import { applyObjects, frontNodePort, helmOf, kubectlOf, writeRoots } from '../../cluster/operate.ts';
import { profileObject, writeSettings, writeShellEnvironment } from '../../demo/operator.ts';
import type { Settings } from '../../demo/people.ts';
import { builtCatalogue } from './images.ts';
import { untilReplaced, untilRolledOut } from './until-rolled-out.ts';

const IMAGES = resolve('dist/images');

export interface InstallationOptions {
  /** `.cluster` of the checkout. */
  readonly folder: string;
  readonly kubeconfig: string;
  /** Of kubectl and helm; undefined: the operator's, with their whole environment. */
  readonly home: string | undefined;
  /** The chart's values besides the images. */
  readonly values: object;
  /** Values files of the operator's, stronger than `values`. */
  readonly valuesFiles: readonly string[];
  /** Applied before the chart. */
  readonly objects: readonly object[];
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

/** Installs or upgrades; resolves when every component is Ready and the demo's profile published. */
export async function install(options: InstallationOptions): Promise<Settings> {
  const { folder, kubeconfig, home, say, signal } = options;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const { kubectl } = await kubectlOf(kubeconfig, home, signal);
  const helm = await helmOf(kubeconfig, home, signal);
  await applyObjects(kubectl, [releaseNamespace(), ...options.objects]);
  const values = join(folder, 'values.json');
  writeFileSync(values, JSON.stringify(options.values, undefined, 2));
  const begun = performance.now();
  await helm([
    ...['upgrade', '--install', RELEASE_NAME, 'charts/licensing', '--namespace', DEFAULT_RELEASE_NAMESPACE],
    ...[join(IMAGES, 'values.yaml'), values, ...options.valuesFiles].flatMap((file) => ['-f', file]),
  ]);
  say('helm: release installed');
  await untilRolledOut(kubectl, DEFAULT_RELEASE_NAMESPACE, say, signal);
  say(`everything Ready ${((performance.now() - begun) / 1000).toFixed(1)} s after helm was called`);
  await untilReplaced(kubectl, DEFAULT_RELEASE_NAMESPACE, signal);
  const catalogue = builtCatalogue(IMAGES);
  await kubectl(['label', '--overwrite', 'namespace', ENCLAVE_NAMESPACE, `${INJECTION_LABEL}=${ENABLED}`]);
  await applyObjects(kubectl, [profileObject({ catalogue })]);
  const settings = writeSettings({
    catalogue,
    directory: folder,
    frontAddress: await frontAddress(kubectl),
    rootsFile: await writeRoots(kubectl, DEFAULT_RELEASE_NAMESPACE, folder),
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

/** The node port of front's Service, on the first node. */
async function frontAddress(kubectl: Environment['kubectl']): Promise<string> {
  const node = await kubectl([
    ...['get', 'nodes', '-o', 'jsonpath={.items[0].status.addresses[?(@.type=="InternalIP")].address}'],
  ]);
  return `${node}:${await frontNodePort(kubectl, DEFAULT_RELEASE_NAMESPACE)}`;
}
