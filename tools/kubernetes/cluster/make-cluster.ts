/** `make cluster`: a cluster with the product on it, and how to use it. */
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { PROFILE } from '../../demo/operator.ts';
import type { Settings } from '../../demo/people.ts';
import { claimFolder, runningCluster, startCluster, stopCluster } from './cluster.ts';
import { loadImages } from './images.ts';
import { install } from './installation.ts';
import { type Layout, layout } from './layout.ts';
import { progress } from './progress.ts';
import { pushImages } from './push-images.ts';
import { chartValues, FRONT_STORAGE, frontVolume } from './values.ts';

const DEFAULT_NODES = 2;

export interface MakeOptions {
  /** `.cluster` of the checkout. */
  readonly folder: string;
  /** The operator's own values file, if there is one. */
  readonly values: string | undefined;
  readonly signal: AbortSignal;
}

/**
 * A cluster of this machine, which stays when the installation fails, to be looked at; when `signal` aborts, nothing stays of what this
 * call started. One that is up already is brought up to date.
 * @param programs folder that build.sh printed
 * @param nodes undefined: as many as it has, or two
 */
export async function makeOwnCluster(
  programs: string,
  nodes: number | undefined,
  options: MakeOptions,
): Promise<void> {
  const { folder, signal } = options;
  claimFolder(folder);
  const running = runningCluster(folder);
  if (running !== undefined && nodes !== undefined && nodes !== running.nodes.length)
    throw new Error(
      `the cluster is up with ${running.nodes.length} nodes, not ${nodes}: make cluster-down first`,
    );
  const at = running ?? layout(folder, nodes ?? DEFAULT_NODES);
  try {
    if (running === undefined) {
      // What an earlier start left, if it could not clean up itself.
      await stopCluster(folder);
      claimFolder(folder);
      await startCluster({ layout: at, programs, say: progress, signal });
    }
    progress(`${await loadImages(at.nodes, resolve('dist/images'))} images loaded`);
    signal.throwIfAborted();
    mkdirSync(join(at.nodes[0]?.folder ?? '', FRONT_STORAGE), { recursive: true });
    tell(at.kubeconfig, await installOn(at, options));
  } catch (error) {
    const up = runningCluster(folder) !== undefined;
    if (running === undefined && (signal.aborted || !up)) await stopCluster(folder);
    else if (up)
      console.error(
        `the cluster stays up to look at (KUBECONFIG=${at.kubeconfig}); make cluster-down ends it`,
      );
    throw error;
  }
}

/** The product on this machine's cluster, or what is missing of it, by helm. */
export function installOn(at: Layout, options: MakeOptions): Promise<Settings> {
  return install({
    ...installation(options, at.kubeconfig),
    home: options.folder,
    values: chartValues(at),
    objects: [frontVolume(at)],
  });
}

/** The product on the cluster of a kubeconfig, with the images where it can pull them. */
export async function useExistingCluster(kubeconfig: string, options: MakeOptions): Promise<void> {
  await pushImages(resolve('dist/images'), options.signal);
  const settings = await install({
    ...installation(options, kubeconfig),
    home: undefined,
    values: { front: { service: { type: 'NodePort' } } },
    objects: [],
  });
  tell(kubeconfig, settings);
}

function installation({ folder, values, signal }: MakeOptions, kubeconfig: string) {
  return { folder, kubeconfig, valuesFiles: values === undefined ? [] : [values], say: progress, signal };
}

function tell(kubeconfig: string, settings: Settings): void {
  for (const [name, value] of Object.entries({ KUBECONFIG: kubeconfig, ...settings }))
    console.log(`export ${name}=${value}`);
  console.log(
    `\nin any shell:  . .cluster/env; enclavectl init; enclavectl signup NAME; enclavectl login NAME; enclavectl launch ${PROFILE}`,
  );
}
