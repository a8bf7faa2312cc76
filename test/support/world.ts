/** The whole product as processes, with people in front of it: what the end-to-end suites stand on. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CERTIFICATE_SIGNING_REQUESTS, PODS } from '../../platform/kube/resources.ts';
import {
  ENCLAVE_NAMESPACE,
  type Environment,
  type EnvironmentOptions,
} from '../../tools/cluster/environment.ts';
import { componentsReady } from '../../tools/cluster/operate.ts';
import { startEnvironment } from '../../tools/cluster/start-environment.ts';
import { narrator } from '../../tools/demo/narrator.ts';
import { PROFILE, profileObject, writeSettings } from '../../tools/demo/operator.ts';
import { type Person, person, type Settings } from '../../tools/demo/people.ts';
import { until } from './until.ts';

export interface World {
  readonly environment: Environment;
  readonly settings: Settings;
  /** Signed up and logged in. */
  user(name: string): Promise<Person>;
  /** Objects of the enclaves' namespace, or the cluster's requests. */
  pods(): Promise<PodView[]>;
  requests(): Promise<string[]>;
  /** Resolves when every component's pod is Ready, and front is reached. */
  componentsReady(): Promise<void>;
  /**
   * How often the containers of each of the release's pods were started again, by its name: a component that has just been killed is Ready until its kubelet says so. Without
   * those that are about to go, such as the last of an upgrade.
   */
  restarts(): Promise<ReadonlyMap<string, number>>;
  /** Of each of the component's pods, whether it was started again since then, or is another. */
  restarted(component: string, since: ReadonlyMap<string, number>): Promise<readonly boolean[]>;
  stop(): Promise<void>;
}

export interface PodView {
  readonly metadata: {
    readonly name: string;
    readonly uid: string;
    readonly namespace: string;
    readonly deletionTimestamp?: string;
  };
  readonly spec: { readonly nodeName?: string; readonly containers: readonly { readonly image: string }[] };
  readonly status: {
    readonly podIP?: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
    readonly containerStatuses?: readonly { readonly name: string; readonly restartCount: number }[];
  };
}

export async function startWorld(options: Omit<EnvironmentOptions, 'directory'> = {}): Promise<World> {
  const directory = mkdtempSync(join(tmpdir(), 'world-'));
  const quiet = narrator(() => undefined);
  let environment: Environment;
  try {
    environment = await startEnvironment({ directory, ...options });
  } catch (error) {
    rmSync(directory, { recursive: true, force: true });
    throw error;
  }
  const settings = writeSettings(environment);
  await environment.kubectl(['apply', '-f', '-'], JSON.stringify(profileObject(environment)));
  const podsOf = async (namespace: string): Promise<PodView[]> =>
    [...(await environment.kube.list(PODS, { namespace })).items] as PodView[];
  const restarts = async (): Promise<Map<string, number>> => {
    const pods = await podsOf(environment.releaseNamespace);
    const staying = pods.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
    const count = ({ status }: PodView): number =>
      (status.containerStatuses ?? []).reduce((sum, { restartCount }) => sum + restartCount, 0);
    return new Map(staying.map((pod) => [pod.metadata.name, count(pod)]));
  };
  return {
    environment,
    settings,
    user: async (given) => {
      // An installed product outlives its suites: what one user has taken is not the next one's.
      const name = `${given}-${randomBytes(3).toString('hex')}`;
      const who = person(name, directory, settings, quiet, new AbortController().signal);
      for (const args of [['init'], ['signup', name, '--password-file', who.passwordFile]])
        await succeed(who, args);
      await succeed(who, ['login', name, '--password-file', who.passwordFile]);
      return who;
    },
    pods: () => podsOf(ENCLAVE_NAMESPACE),
    requests: async () =>
      (await environment.kube.list(CERTIFICATE_SIGNING_REQUESTS)).items.map(
        ({ metadata }) => metadata?.name ?? '',
      ),
    componentsReady: async () => {
      await componentsReady(environment, environment.releaseNamespace);
      // A Service's rules follow its pods' readiness, some moments later.
      await until('front takes connections', () => takesConnections(environment.frontAddress));
    },
    restarts,
    restarted: async (component, since) =>
      [...(await restarts())]
        .filter(([pod]) => pod.startsWith(`enclave-${component}`))
        .map(([pod, count]) => count > (since.get(pod) ?? -1)),
    stop: async () => {
      await environment.stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function takesConnections(address: string): Promise<boolean> {
  const at = address.lastIndexOf(':');
  return new Promise((resolve) => {
    const socket = connect({ host: address.slice(0, at), port: Number(address.slice(at + 1)) });
    const done = (taken: boolean): void => {
      socket.destroy();
      resolve(taken);
    };
    socket.once('connect', () => done(true)).once('error', () => done(false));
  });
}

/** Runs enclavectl; @throws Error with what it said unless it ends with 0 */
export async function succeed(who: Person, args: readonly string[]): Promise<string> {
  const result = await who.enclavectl(args);
  if (result.code !== 0)
    throw new Error(`enclavectl ${args.join(' ')}: exit ${result.code}\n${result.stderr}${result.stdout}`);
  return result.stdout;
}

export interface LaunchOutcome {
  readonly enclave: string;
  readonly code: number;
  readonly output: string;
}

/** `enclavectl launch`; `at` is called once for each phase as its line appears. */
export async function launch(
  who: Person,
  at: (phase: string, enclave: string) => void = () => undefined,
): Promise<LaunchOutcome> {
  const seen = new Set<string>();
  let enclave = '';
  const result = await who.enclavectl(['launch', PROFILE, '--timeout', '90s'], {
    onLine: (line) => {
      const [, phase, id] =
        /^(seat|created|started|certified|attested|isolated|ready)\s+(e[a-z2-7]+)\b/.exec(line) ?? [];
      if (phase === undefined || id === undefined || seen.has(phase)) return;
      seen.add(phase);
      enclave = id;
      at(phase, id);
    },
  });
  return { enclave, code: result.code, output: `${result.stdout}${result.stderr}` };
}
