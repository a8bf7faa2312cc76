import { randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { containerCommand, pathMappings } from './container-command.ts';
import { containerEnvironment, type ValueSources } from './container-environment.ts';
import { ContainerLog } from './container-log.ts';
import { StartError, startProcess } from './container-process.ts';
import type { Launched } from './container-runner.ts';
import type { DownwardContext } from './downward.ts';
import type { ImageCatalogue } from './image-catalogue.ts';
import type { Container } from './pod.ts';
import type { PodVolumes } from './pod-volumes.ts';
import { probeOnce } from './probe.ts';
import { rewritePaths } from './rewrite-paths.ts';
import type { Warden } from './warden.ts';

/** What all containers of a pod share. */
export interface PodSandbox {
  /** The pod's own folder. */
  readonly directory: string;
  readonly context: DownwardContext;
  readonly volumes: PodVolumes;
  readonly sources: ValueSources;
  readonly catalogue: ImageCatalogue;
  readonly warden: Warden;
  readonly runtime: ContainerRuntime;
  services(): ReadonlyMap<string, string>;
  event(container: Container, type: 'Normal' | 'Warning', reason: string, message: string): void;
  /** Takes the log of a new run. */
  keepLog(container: string, log: ContainerLog): void;
}

/** How a node runs a container: as a process of its own, unless whoever starts the node knows another way. */
export type ContainerRuntime = (
  sandbox: PodSandbox,
  container: Container,
  attempt: number,
) => Promise<Launched>;

/** Pulls, creates and starts one run of a container. @throws ImagePullError, ContainerConfigError, StartError */
export async function launchContainer(
  sandbox: PodSandbox,
  container: Container,
  attempt: number,
): Promise<Launched> {
  const reference = container.image ?? '';
  const image = sandbox.catalogue.resolve(reference);
  sandbox.event(container, 'Normal', 'Pulled', `Container image "${reference}" already present on machine`);
  const { context } = sandbox;
  const variables = await containerEnvironment(container, sandbox.services(), context, sandbox.sources);
  const mappings = pathMappings(container, (volume) => sandbox.volumes.pathOf(volume));
  const hostname = context.pod.metadata.name ?? '';
  const { command, env } = containerCommand(container, image, variables, hostname, mappings);
  if (command.length === 0) throw new StartError('no command specified');
  const home = join(sandbox.directory, 'c', container.name);
  mkdirSync(home, { recursive: true });
  const cwd = container.workingDir ? rewritePaths(container.workingDir, mappings) : home;
  const log = new ContainerLog(join(sandbox.directory, 'log', `${container.name}.${attempt}.log`));
  sandbox.keepLog(container.name, log);
  sandbox.event(container, 'Normal', 'Created', 'Container created');
  const process = await startProcess({ command, env, cwd }, sandbox.warden, (stream, chunk) =>
    log.write(stream, chunk),
  ).catch((error: unknown) => {
    log.close();
    throw error;
  });
  void process.exited.then(() => log.close());
  const exec = async (words: readonly string[], timeoutMs: number): Promise<number | undefined> => {
    const real = words.map((word) => rewritePaths(word, mappings));
    const probe = await startProcess({ command: real, env, cwd }, sandbox.warden, () => {});
    const ended = new AbortController();
    const timeout = sleep(timeoutMs, undefined, { signal: ended.signal }).catch(() => undefined);
    const code = await Promise.race([probe.exited.then((exit) => exit.exitCode), timeout]);
    ended.abort();
    if (code === undefined) probe.kill();
    return code;
  };
  return {
    process,
    // The process id is part of it: tests and people find the process by it.
    containerID: `devcluster://${process.pid}.${randomUUID().replaceAll('-', '')}`,
    imageID: `${reference.split('@')[0]?.replace(/:[\w.-]+$/, '')}@${image.digest}`,
    check: (probe) => probeOnce(probe, { container, podIP: context.podIP, nodeIP: context.hostIP, exec }),
  };
}
