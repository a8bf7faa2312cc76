/**
 * The development cluster as a process. With `ENCLAVE_TEST_KUBERNETES_BIN` (`make test-kube`) an etcd and a kube-apiserver are started
 * for it and its nodes join them, so that a suite runs on either and does not care.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { startKubernetes } from '../../tools/kubernetes/kubernetes.ts';

export interface Cluster {
  readonly kubeconfig: string;
  readonly api: string;
  readonly nodes: readonly { readonly name: string; readonly address: string; readonly tpm: string }[];
  /** Folder with the certificates of the TPM makers. */
  readonly ekRootsDir: string;
  readonly pid: number;
  /** The API server is a real kube-apiserver. */
  readonly real: boolean;
  /** `kill -9` of the devcluster's process; resolves when it is gone. */
  kill(): Promise<void>;
  /** Ends every process of it; resolves when all are gone. */
  stop(): Promise<void>;
}

export interface ClusterOptions {
  /** Everything the cluster writes; short, because Unix sockets' paths are. */
  readonly directory: string;
  readonly nodes: number;
  readonly catalogueFile: string;
  /** False: nodes without a TPM, which start a second sooner. */
  readonly tpm?: boolean;
}

export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const args = [
    '--dir',
    options.directory,
    '--nodes',
    String(options.nodes),
    '--catalogue',
    options.catalogueFile,
  ];
  if (options.tpm === false) args.push('--no-tpm');
  const bin = process.env['ENCLAVE_TEST_KUBERNETES_BIN'];
  const kubernetes = bin ? await startKubernetes(bin, join(options.directory, 'kubernetes')) : undefined;
  if (kubernetes) args.push('--kubeconfig', kubernetes.kubeconfig, '--client-ca', kubernetes.clientCa);
  const child = spawn(process.execPath, ['devcluster/main.ts', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    said = (said + chunk).slice(-8192);
  });
  const gone = once(child, 'exit');
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    await gone;
  };
  const stop = async (): Promise<void> => {
    await end('SIGTERM');
    await kubernetes?.stop();
  };
  const line = await Promise.race([
    once(createInterface(child.stdout), 'line').then(([text]) => String(text)),
    gone.then(() => undefined),
  ]);
  if (line === undefined) {
    await stop();
    throw new Error(`devcluster ended: ${said.trim()}`);
  }
  return {
    ...(JSON.parse(line) as Pick<Cluster, 'kubeconfig' | 'api' | 'nodes' | 'ekRootsDir'>),
    pid: child.pid ?? 0,
    real: kubernetes !== undefined,
    kill: () => end('SIGKILL'),
    stop,
  };
}
