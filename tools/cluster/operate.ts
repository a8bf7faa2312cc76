/** What an operator does with kubectl and helm, on whatever cluster. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { ROOTS_CONFIG_MAP, ROOTS_KEY } from '../../names/components.ts';
import { createKube } from '../../platform/kube/create-kube.ts';
import { apiServerFromKubeconfig } from '../../platform/kube/kubeconfig.ts';
import { PODS } from '../../platform/kube/resources.ts';
import { helmPath } from '../../test/support/helm.ts';
import { kubectlPath } from '../../test/support/kubectl-path.ts';
import { type CommandResult, command, mustRun } from './command.ts';
import type { Environment } from './environment.ts';

type Kubectl = Environment['kubectl'];
/** The cluster's administrator. */
export type Operator = Pick<Environment, 'kube' | 'kubectl' | 'tryKubectl'>;

/**
 * Without a home, that of whoever runs this, with all of it: a kubeconfig's `exec` needs their programs and credentials, a cluster behind a proxy
 * its variables.
 */
function environmentOf(kubeconfig: string, home: string | undefined): NodeJS.ProcessEnv {
  return { ...(home === undefined ? process.env : { HOME: home }), KUBECONFIG: kubeconfig };
}

/** kubectl with this kubeconfig, and `home` instead of the person's own folder: see `environmentOf`. */
export async function kubectlOf(
  kubeconfig: string,
  home: string | undefined,
  signal?: AbortSignal,
): Promise<Omit<Operator, 'kube'>> {
  const program = await kubectlPath();
  const options = (input?: string) => ({
    env: environmentOf(kubeconfig, home),
    // Longer than any --timeout that is asked of it: what it says then is the reason.
    timeoutMs: 120_000,
    ...(input === undefined ? {} : { input }),
    ...(signal === undefined ? {} : { signal }),
  });
  return {
    kubectl: (args, input): Promise<string> => mustRun(program, args, options(input)),
    tryKubectl: (args, input): Promise<CommandResult> => command(program, args, options(input)),
  };
}

/**
 * The same, and a client for what is looked at again and again, which a process each time would make dear. It takes fewer kubeconfigs than kubectl: none with `exec`,
 * for example.
 */
export async function operatorOf(kubeconfig: string, home: string, signal?: AbortSignal): Promise<Operator> {
  return {
    kube: createKube(apiServerFromKubeconfig(kubeconfig)),
    ...(await kubectlOf(kubeconfig, home, signal)),
  };
}

/** helm, likewise; up to two minutes. An exit code other than 0 is an error that holds what it said. */
export async function helmOf(
  kubeconfig: string,
  home: string | undefined,
  signal?: AbortSignal,
): Promise<(args: readonly string[]) => Promise<string>> {
  const program = await helmPath();
  const env = environmentOf(kubeconfig, home);
  return (args) =>
    mustRun(program, args, { env, timeoutMs: 120_000, ...(signal === undefined ? {} : { signal }) });
}

/** `kubectl apply -f -`, client side. */
export function applyObjects(kubectl: Kubectl, items: readonly object[]): Promise<string> {
  return kubectl(['apply', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
}

/** Of front's Service; empty when it has none. */
export function frontNodePort(kubectl: Kubectl, namespace: string): Promise<string> {
  return kubectl([
    ...['get', 'service', 'enclave-front', '-n', namespace],
    ...['-o', 'jsonpath={.spec.ports[0].nodePort}'],
  ]);
}

/** Every component pod Ready, or an error that names those that are not and shows their last lines. */
export async function componentsReady(
  { kube, kubectl }: Pick<Operator, 'kube' | 'kubectl'>,
  namespace: string,
  say: (line: string) => void = () => undefined,
): Promise<void> {
  const deadline = performance.now() + 60_000;
  const seen = new Set<string>();
  for (;;) {
    const { items } = await kube.list(PODS, { namespace });
    const waiting: string[] = [];
    for (const { metadata, status } of items) {
      // What helm test ran, and what came of it, is no component.
      if (metadata?.annotations?.['helm.sh/hook'] !== undefined) continue;
      const name = metadata?.name ?? '';
      if (!status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True'))
        waiting.push(name);
      else if (!seen.has(name)) {
        seen.add(name);
        say(`ready: ${name}`);
      }
    }
    if (waiting.length === 0 && items.length > 0) return;
    if (performance.now() > deadline) {
      const logs = await Promise.all(waiting.map((name) => lastWords(kubectl, namespace, name)));
      throw new Error(`not ready after 60 s: ${waiting.map((name, i) => `${name}:\n${logs[i]}`).join('\n')}`);
    }
    await pause(200);
  }
}

async function lastWords(kubectl: Kubectl, namespace: string, pod: string): Promise<string> {
  const text = await kubectl(['logs', pod, '-n', namespace, '--tail=8']).catch(
    (error: Error) => error.message,
  );
  return text
    .split('\n')
    .map((line) => line.slice(0, 300))
    .join('\n');
}

/** `roots.json` in `directory`, from the release's ConfigMap: what an operator hands to users. */
export async function writeRoots(kubectl: Kubectl, namespace: string, directory: string): Promise<string> {
  const configMap = JSON.parse(
    await kubectl(['get', 'configmap', ROOTS_CONFIG_MAP, '-n', namespace, '-o', 'json']),
  ) as { data: Record<string, string> };
  const file = join(directory, 'roots.json');
  writeFileSync(file, configMap.data[ROOTS_KEY] ?? '');
  return file;
}
