/**
 * The development cluster as a process. With `ENCLAVE_TEST_KUBERNETES_BIN` (`make test-kube`) an etcd and a kube-apiserver are started
 * for it and its nodes join them, so that a suite runs on either and does not care.
 */
import { spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { freePorts } from '../../tools/cluster/free-ports.ts';
import { startKubernetes } from '../../tools/kubernetes/kubernetes.ts';

export interface Cluster {
  readonly kubeconfig: string;
  readonly api: string;
  readonly nodes: readonly { readonly name: string; readonly address: string; readonly tpm: string }[];
  /** Folder with the certificates of the TPM makers. */
  readonly ekRootsDir: string;
  /** File with the key that signs service account tokens: P-256, PEM. */
  readonly serviceAccountKey: string;
  readonly pid: number;
  /** The API server is a real kube-apiserver. */
  readonly real: boolean;
  /** The API server goes away: nothing listens, every connection is cut. What is stored stays. */
  suspendApi(): Promise<void>;
  /** It comes back on the same port. */
  resumeApi(): Promise<void>;
  /** A node's TPM stops answering; `startTpm` is a reset. */
  stopTpm(node: string): Promise<void>;
  startTpm(node: string): Promise<void>;
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
  /** The nodes' program, when it is another than the development cluster's own; it takes the same flags. */
  readonly program?: string;
  /** Flags of kube-apiserver, when there is a real one. */
  readonly apiFlags?: readonly string[];
}

export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const args = ['--stdin', '--dir', options.directory, '--nodes', String(options.nodes)];
  args.push('--catalogue', options.catalogueFile);
  if (options.tpm === false) args.push('--no-tpm');
  const bin = process.env['ENCLAVE_TEST_KUBERNETES_BIN'];
  const kubernetes = bin
    ? await startKubernetes(bin, join(options.directory, 'kubernetes'), options.apiFlags)
    : undefined;
  const serviceAccountKey = kubernetes
    ? join(kubernetes.clientCa, 'sa.key')
    : await writeKey(join(options.directory, 'sa.key'));
  if (!kubernetes) {
    // It comes back at this one after `suspendApi`.
    const [port = 0] = await freePorts(1);
    args.push('--api-port', String(port), '--service-account-signing-key-file', serviceAccountKey);
  }
  if (kubernetes) args.push('--kubeconfig', kubernetes.kubeconfig, '--client-ca', kubernetes.clientCa);
  const child = spawn(process.execPath, [options.program ?? 'devcluster/main.ts', ...args], {
    stdio: ['pipe', 'pipe', 'pipe'],
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
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const next = async (): Promise<string | undefined> => {
    const { value, done } = await lines.next();
    return done ? undefined : value;
  };
  const line = await next();
  if (line === undefined) {
    await stop();
    throw new Error(`devcluster ended: ${said.trim()}`);
  }
  // One command at a time: the answers come in order.
  let last: Promise<unknown> = Promise.resolve();
  const tell = (command: string): Promise<void> => {
    const told = last.then(async () => {
      child.stdin.write(`${command}\n`);
      const answer = JSON.parse((await next()) ?? '{"error":"the devcluster has ended"}') as {
        error?: string;
      };
      if (answer.error !== undefined) throw new Error(`${command}: ${answer.error}`);
    });
    last = told.catch(() => undefined);
    return told;
  };
  return {
    ...(JSON.parse(line) as Pick<Cluster, 'kubeconfig' | 'api' | 'nodes' | 'ekRootsDir'>),
    serviceAccountKey,
    pid: child.pid ?? 0,
    real: kubernetes !== undefined,
    suspendApi: () => kubernetes?.suspend() ?? tell('suspend-api'),
    resumeApi: () => kubernetes?.resume() ?? tell('resume-api'),
    stopTpm: (node) => tell(`stop-tpm ${node}`),
    startTpm: (node) => tell(`start-tpm ${node}`),
    kill: () => end('SIGKILL'),
    stop,
  };
}

async function writeKey(file: string): Promise<string> {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  await writeFile(file, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  return file;
}
