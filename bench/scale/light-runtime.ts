import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { containerCommand, pathMappings } from '../../devcluster/node/container-command.ts';
import { containerEnvironment } from '../../devcluster/node/container-environment.ts';
import { type ContainerRuntime, launchContainer } from '../../devcluster/node/container-launch.ts';
import { ContainerLog } from '../../devcluster/node/container-log.ts';
import type { ProcessExit } from '../../devcluster/node/container-process.ts';
import { probeOnce } from '../../devcluster/node/probe.ts';
import { explain } from '../../platform/run/explain.ts';
import { REGISTRY } from '../../tools/cluster/catalogue.ts';
import { lightApp } from './light-app.ts';
import { lightSidecar } from './light-sidecar.ts';

/** What a container's process would be given, and until when it runs. */
export interface LightProcess {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  write(line: string): void;
}

const PROGRAMS: ReadonlyMap<string, (process: LightProcess) => Promise<void>> = new Map([
  [`${REGISTRY}/enclave-sidecar`, lightSidecar],
  [`${REGISTRY}/demo-app`, lightApp],
]);

export interface LightRuntime {
  readonly runtime: ContainerRuntime;
  /** Ends all light containers of a node at once, as when its pods' processes die; how many. */
  restart(node: string): number;
}

/**
 * Runs the containers of enclave pods inside the nodes' process, everything else as a process. What surrounds them stays a kubelet's: volumes, projected tokens,
 * order, probes over the pod's own address, statuses, events.
 */
export function createLightRuntime(): LightRuntime {
  const running = new Map<string, Set<AbortController>>();
  const runtime: ContainerRuntime = async (sandbox, container, attempt) => {
    const reference = container.image ?? '';
    const program = PROGRAMS.get(reference.split('@')[0] ?? '');
    if (program === undefined) return launchContainer(sandbox, container, attempt);
    const image = sandbox.catalogue.resolve(reference);
    sandbox.event(container, 'Normal', 'Pulled', `Container image "${reference}" already present on machine`);
    const { context, directory } = sandbox;
    const variables = await containerEnvironment(container, sandbox.services(), context, sandbox.sources);
    const mappings = pathMappings(container, (volume) => sandbox.volumes.pathOf(volume));
    const { command, env } = containerCommand(container, image, variables, '', mappings);
    const log = new ContainerLog(join(directory, 'log', `${container.name}.${attempt}.log`));
    sandbox.keepLog(container.name, log);
    sandbox.event(container, 'Normal', 'Created', 'Container created');
    const stopping = new AbortController();
    const { node, podIP, hostIP: nodeIP } = context;
    const ofNode = running.get(node) ?? new Set();
    running.set(node, ofNode.add(stopping));
    const exited = program({
      args: command.slice(image.command.length),
      env,
      signal: stopping.signal,
      write: (line) => log.write('stdout', Buffer.from(line)),
    }).then(
      (): ProcessExit => ({ exitCode: 0 }),
      (error: unknown): ProcessExit => {
        log.write('stderr', Buffer.from(`${explain(error)}\n`));
        return { exitCode: 1 };
      },
    );
    void exited.then(() => {
      ofNode.delete(stopping);
      log.close();
    });
    const stop = (): void => stopping.abort();
    return {
      process: { pid: process.pid, exited, signal: stop, kill: stop },
      containerID: `light://${randomUUID().replaceAll('-', '')}`,
      imageID: reference,
      // Nothing here is a process that a command could run beside.
      check: (probe) => probeOnce(probe, { container, podIP, nodeIP, exec: async () => 126 }),
    };
  };
  return {
    runtime,
    restart: (node) => {
      const ofNode = [...(running.get(node) ?? [])];
      for (const each of ofNode) each.abort();
      return ofNode.length;
    },
  };
}
