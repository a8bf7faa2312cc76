/** A real etcd and kube-apiserver on loopback ports of their own: what the development cluster is measured against. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Warden } from '../../devcluster/node/warden.ts';
import { freePorts } from '../cluster/free-ports.ts';
import { apiServerFlags, etcdFlags, SELDOM_COLLECTED, untilReady } from './api-server.ts';
import { writePki } from './pki.ts';

export interface Kubernetes {
  readonly url: string;
  /** Administrator's kubeconfig. */
  readonly kubeconfig: string;
  /** Folder with `ca.crt` and `ca.key` of the client authority, for nodes that join. */
  readonly clientCa: string;
  /** Ends kube-apiserver as a crash would; etcd stays. */
  suspend(): Promise<void>;
  /** Starts it again on its port; resolves when it is ready. */
  resume(): Promise<void>;
  stop(): Promise<void>;
}

const ADDRESS = '127.0.0.1';

/**
 * Starts both in `directory`, with logs beside them; resolves when /readyz says so (3 to 5 seconds).
 * @param flags of kube-apiserver, besides those that it needs
 */
export async function startKubernetes(
  bin: string,
  directory: string,
  flags: readonly string[] = [],
): Promise<Kubernetes> {
  const pki = join(directory, 'pki');
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const [etcdPort = 0, peerPort = 0, apiPort = 0] = await freePorts(3);
  const url = `https://${ADDRESS}:${apiPort}`;
  const certificates = await writePki(pki, url, [ADDRESS]);
  const warden = new Warden(directory);
  const gone: Promise<unknown>[] = [];
  const start = (name: string, args: readonly string[]) => {
    const child = spawn(join(bin, name), args, {
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, GOGC: SELDOM_COLLECTED },
    });
    const log = createWriteStream(join(directory, `${name}.log`), { flags: 'a' });
    child.stdout.pipe(log);
    child.stderr.pipe(log);
    if (child.pid === undefined) throw new Error(`${name} is not in ${bin}: run tools/kubernetes/build.sh`);
    warden.record(child.pid);
    gone.push(once(child, 'close'));
    return child;
  };
  start(
    'etcd',
    etcdFlags({
      dataDirectory: join(directory, 'etcd'),
      address: ADDRESS,
      clientPort: etcdPort,
      peerPort,
    }),
  );
  const apiArgs = [
    ...apiServerFlags({ etcd: `http://${ADDRESS}:${etcdPort}`, address: ADDRESS, port: apiPort, pki }),
    // Cluster IPs that the nodes' process can listen on; webhooks by Service are dialled there, not at endpoints.
    ...['--service-cluster-ip-range=127.96.0.0/16', '--enable-aggregator-routing=false'],
    // Nobody reads the Service `kubernetes`: a loopback address is refused there, so it is given none.
    ...['--endpoint-reconciler-type=none', '--advertise-address=192.0.2.1'],
    ...flags,
  ];
  let api = start('kube-apiserver', apiArgs);
  const untilUp = (): Promise<void> =>
    untilReady(url, certificates, () => api.exitCode === null && api.signalCode === null);
  const stop = async (): Promise<void> => {
    await warden.close();
    await Promise.all(gone);
  };
  try {
    await untilUp();
  } catch (error) {
    await stop();
    throw new Error(`kube-apiserver did not become ready, see ${directory}: ${String(error)}`);
  }
  return {
    url,
    kubeconfig: join(pki, 'admin.kubeconfig'),
    clientCa: pki,
    suspend: async () => {
      const gone = once(api, 'exit');
      api.kill('SIGKILL');
      await gone;
      warden.strike(api.pid ?? 0);
    },
    resume: async () => {
      api = start('kube-apiserver', apiArgs);
      await untilUp();
    },
    stop,
  };
}
