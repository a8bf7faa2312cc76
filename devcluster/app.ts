import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createCertificateAuthority } from './api/certificate-authority.ts';
import { runScheduler } from './control/scheduler.ts';
import { furnishNamespaces } from './control/service-accounts.ts';
import { ServiceProxy } from './control/service-proxy.ts';
import { type ControlPlane, kubeAs, openControlPlane } from './control-plane.ts';
import { type ContainerRuntime, launchContainer } from './node/container-launch.ts';
import { ImageCatalogue } from './node/image-catalogue.ts';
import { startNode } from './node/node.ts';
import { Warden } from './node/warden.ts';
import type { DevclusterOptions } from './options.ts';
import { type EmulatedTpm, TpmFactory } from './tpm/swtpm.ts';
import { Trouble } from './trouble.ts';

/** What is said when the cluster is ready. */
export interface DevclusterReady {
  /** Path of the administrator's kubeconfig. */
  readonly kubeconfig: string;
  readonly api: string;
  readonly nodes: readonly {
    readonly name: string;
    readonly address: string;
    /** Unix socket of the node's TPM, in a folder of its own. */
    readonly tpm?: string;
  }[];
  /** What the certificate service takes as --ek-roots-dir: the authority that certified the nodes' EKs, in `emulated`. */
  readonly ekRootsDir: string;
}

export interface Devcluster {
  readonly ready: DevclusterReady;
  readonly plane: ControlPlane;
  /** By the node's name. */
  readonly tpms: ReadonlyMap<string, EmulatedTpm>;
  close(): Promise<void>;
}

/** How long a cluster may take to come up; a busy machine takes ten seconds. */
const START_MS = 60_000;

/**
 * Starts API server, nodes, scheduler and Services; what was started is ended again when something fails or the signal says to give
 * up.
 */
export async function startDevcluster(
  options: DevclusterOptions,
  giveUp: AbortSignal,
  runtime: ContainerRuntime = launchContainer,
): Promise<Devcluster> {
  const trouble = new Trouble();
  const closers: Closers = [];
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () =>
      late.reject(
        new Error(`not ready after ${START_MS / 1000} s; the last trouble: ${trouble.last || 'none'}`),
      ),
    START_MS,
  );
  giveUp.addEventListener('abort', () => late.reject(new Error('interrupted')), { once: true });
  const close = async (): Promise<void> => {
    for (let next = closers.pop(); next !== undefined; next = closers.pop()) await next();
  };
  try {
    const cluster = await Promise.race([startAll(options, runtime, trouble, closers), late.promise]);
    return { ...cluster, close };
  } catch (error) {
    await close();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

type Closers = (() => Promise<void> | void)[];

async function startAll(
  options: DevclusterOptions,
  runtime: ContainerRuntime,
  trouble: Trouble,
  closers: Closers,
): Promise<Omit<Devcluster, 'close'>> {
  const directory = resolve(options.directory);
  mkdirSync(directory, { recursive: true });
  chmodSync(directory, 0o700);
  const catalogue = new ImageCatalogue(resolve(options.catalogue));
  const warden = new Warden(directory);
  closers.push(() => warden.close());
  const plane = await openControlPlane(options);
  closers.push(() => plane.close());
  const kubeconfig = join(directory, 'admin.kubeconfig');
  writeFileSync(kubeconfig, plane.adminKubeconfig, { mode: 0o600 });

  const factory = new TpmFactory(join(directory, 'tpm'), warden);
  const tpms = new Map<string, EmulatedTpm>();
  const serving = await createCertificateAuthority('devcluster-nodes');
  const api = { host: new URL(plane.url).hostname, port: Number(new URL(plane.url).port) };
  rmSync(join(directory, 'p'), { recursive: true, force: true });
  const started = await Promise.allSettled(
    Array.from({ length: options.nodes }, async (_, index) => {
      const name = `node-${index + 1}`;
      const own = join(directory, 'nodes', name);
      mkdirSync(own, { recursive: true });
      const tpm = options.tpm ? await factory.start(join(own, 'tpm'), join(own, 'tpm.sock')) : undefined;
      if (tpm !== undefined) {
        closers.push(() => tpm.close());
        tpms.set(name, tpm);
      }
      const kube = await kubeAs(plane, `system:node:${name}`, ['system:nodes']);
      closers.push(() => kube.close());
      const node = await startNode({
        name,
        directory,
        kube,
        api,
        serving: await serving.issueServer([{ type: 'dns', value: name }]),
        clientCaPem: plane.clientCaPem,
        catalogue,
        warden,
        runtime,
        onTrouble: trouble.of(name),
      });
      closers.push(() => node.close());
      return { name, address: node.address, ...(tpm !== undefined && { tpm: tpm.socket }) };
    }),
  );
  // All have ended or failed before anything is undone.
  const nodes = started.map((each) => {
    if (each.status === 'rejected') throw each.reason;
    return each.value;
  });
  const ekRootsDir = join(directory, 'ek-roots');
  // In the folder for emulated TPMs: what swtpm makes is never a vendor's.
  factory.exportRoots(join(ekRootsDir, 'emulated'));
  await startControllers(plane, trouble, closers);
  return { ready: { kubeconfig, api: plane.url, nodes, ekRootsDir }, plane, tpms };
}

async function startControllers(plane: ControlPlane, trouble: Trouble, closers: Closers): Promise<void> {
  const stopping = new AbortController();
  const scheduler = await kubeAs(plane, 'system:kube-scheduler', []);
  const controller = await kubeAs(plane, 'devcluster-controllers', ['system:masters']);
  const proxy = new ServiceProxy(scheduler, trouble.of('services'));
  closers.push(() => {
    stopping.abort();
    proxy.close();
    scheduler.close();
    controller.close();
  });
  runScheduler(scheduler, stopping.signal, trouble.of('scheduler'));
  // Our own API server furnishes its namespaces itself.
  if (plane.own === undefined)
    furnishNamespaces(controller, plane.caPem, stopping.signal, trouble.of('namespaces'));
  await proxy.start();
}
