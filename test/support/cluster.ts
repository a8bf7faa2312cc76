/**
 * The development cluster as a process. With `ENCLAVE_TEST_KUBECONFIG` (and `ENCLAVE_TEST_CLIENT_CA`) its nodes join that API server
 * instead, so that a suite runs on either and does not care.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

export interface Cluster {
  readonly kubeconfig: string;
  readonly api: string;
  readonly nodes: readonly { readonly name: string; readonly address: string; readonly tpm: string }[];
  /** Folder with the certificates of the TPM makers. */
  readonly ekRootsDir: string;
  readonly pid: number;
  /** Ends every process of it; resolves when all are gone. */
  stop(): Promise<void>;
}

export interface ClusterOptions {
  /** Everything the cluster writes; short, because Unix sockets' paths are. */
  readonly directory: string;
  readonly nodes: number;
  readonly catalogueFile: string;
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
  const kubeconfig = process.env['ENCLAVE_TEST_KUBECONFIG'];
  const clientCa = process.env['ENCLAVE_TEST_CLIENT_CA'];
  if (kubeconfig !== undefined && clientCa !== undefined)
    args.push('--kubeconfig', kubeconfig, '--client-ca', clientCa);
  const child = spawn(process.execPath, ['devcluster/main.ts', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    said = (said + chunk).slice(-8192);
  });
  const gone = once(child, 'exit');
  const stop = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
    await gone;
  };
  const line = await Promise.race([
    once(createInterface(child.stdout), 'line').then(([text]) => String(text)),
    gone.then(() => undefined),
  ]);
  if (line === undefined) throw new Error(`devcluster ended: ${said.trim()}`);
  return { ...(JSON.parse(line) as Omit<Cluster, 'pid' | 'stop'>), pid: child.pid ?? 0, stop };
}
