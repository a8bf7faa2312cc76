/** A real etcd and kube-apiserver on loopback ports of their own: what the development cluster is measured against. */
import { spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { createWriteStream, mkdirSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createCertificateAuthority } from '../../devcluster/api/certificate-authority.ts';
import { kubeconfig } from '../../devcluster/api/kubeconfig.ts';
import { Warden } from '../../devcluster/node/warden.ts';

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
const READY_MS = 60_000;

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
  mkdirSync(pki, { recursive: true, mode: 0o700 });
  const [etcdPort, peerPort, apiPort] = await freePorts(3);
  const url = `https://${ADDRESS}:${apiPort}`;
  const { admin, caPem } = await writePki(pki, url);
  const warden = new Warden(directory);
  const gone: Promise<unknown>[] = [];
  const start = (name: string, args: readonly string[]) => {
    const child = spawn(join(bin, name), args, { detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    const log = createWriteStream(join(directory, `${name}.log`), { flags: 'a' });
    child.stdout.pipe(log);
    child.stderr.pipe(log);
    if (child.pid === undefined) throw new Error(`${name} is not in ${bin}: run tools/kubernetes/build.sh`);
    warden.record(child.pid);
    gone.push(once(child, 'close'));
    return child;
  };
  start('etcd', [
    ...['--name=e', `--data-dir=${join(directory, 'etcd')}`, '--unsafe-no-fsync', '--log-level=warn'],
    `--listen-client-urls=http://${ADDRESS}:${etcdPort}`,
    `--advertise-client-urls=http://${ADDRESS}:${etcdPort}`,
    `--listen-peer-urls=http://${ADDRESS}:${peerPort}`,
    `--initial-advertise-peer-urls=http://${ADDRESS}:${peerPort}`,
    `--initial-cluster=e=http://${ADDRESS}:${peerPort}`,
  ]);
  const apiArgs = [
    `--etcd-servers=http://${ADDRESS}:${etcdPort}`,
    ...[`--bind-address=${ADDRESS}`, `--secure-port=${apiPort}`],
    ...[`--tls-cert-file=${pki}/apiserver.crt`, `--tls-private-key-file=${pki}/apiserver.key`],
    `--client-ca-file=${pki}/ca.crt`,
    // Reads logs from the nodes, whose addresses are loopback.
    ...[
      `--kubelet-client-certificate=${pki}/kubelet-client.crt`,
      `--kubelet-client-key=${pki}/kubelet-client.key`,
    ],
    '--kubelet-preferred-address-types=InternalIP',
    '--service-account-issuer=https://kubernetes.default.svc.cluster.local',
    ...[`--service-account-key-file=${pki}/sa.pub`, `--service-account-signing-key-file=${pki}/sa.key`],
    ...['--authorization-mode=Node,RBAC', '--enable-admission-plugins=NodeRestriction'],
    // Cluster IPs that the nodes' process can listen on; webhooks by Service are dialled there, not at endpoints.
    ...['--service-cluster-ip-range=127.96.0.0/16', '--enable-aggregator-routing=false'],
    // Nobody reads the Service `kubernetes`: a loopback address is refused there, so it is given none.
    ...['--endpoint-reconciler-type=none', '--advertise-address=192.0.2.1'],
    '--allow-privileged=true',
    ...flags,
  ];
  let api = start('kube-apiserver', apiArgs);
  const untilUp = (): Promise<void> =>
    untilReady(url, caPem, admin, () => api.exitCode === null && api.signalCode === null);
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

async function writePki(pki: string, url: string) {
  const authority = await createCertificateAuthority('kubernetes-ca');
  const write = (name: string, text: string): void => writeFileSync(join(pki, name), text, { mode: 0o600 });
  const serving = await authority.issueServer([
    { type: 'ip', value: ADDRESS },
    ...['localhost', 'kubernetes', 'kubernetes.default', 'kubernetes.default.svc'].map(
      (value) => ({ type: 'dns', value }) as const,
    ),
  ]);
  const admin = await authority.issueClient('kubernetes-admin', ['system:masters']);
  const kubelet = await authority.issueClient('kube-apiserver-kubelet-client', ['system:masters']);
  const account = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  write('ca.crt', authority.caPem);
  write('ca.key', await authority.exportKey());
  write('apiserver.crt', serving.certPem);
  write('apiserver.key', serving.keyPem);
  write('kubelet-client.crt', kubelet.certPem);
  write('kubelet-client.key', kubelet.keyPem);
  write('sa.key', account.privateKey.export({ type: 'sec1', format: 'pem' }).toString());
  write('sa.pub', account.publicKey.export({ type: 'spki', format: 'pem' }).toString());
  write('admin.kubeconfig', kubeconfig({ url, caPem: authority.caPem, user: 'kubernetes-admin', ...admin }));
  return { admin, caPem: authority.caPem };
}

async function untilReady(
  url: string,
  ca: string,
  admin: { readonly certPem: string; readonly keyPem: string },
  alive: () => boolean,
): Promise<void> {
  const deadline = performance.now() + READY_MS;
  while (!(await isReady(url, ca, admin))) {
    if (!alive()) throw new Error('the process has ended');
    if (performance.now() > deadline) throw new Error(`not within ${READY_MS / 1000} s`);
    await sleep(100);
  }
}

function isReady(
  url: string,
  ca: string,
  admin: { readonly certPem: string; readonly keyPem: string },
): Promise<boolean> {
  return new Promise((resolve) => {
    const outgoing = request(
      `${url}/readyz`,
      { ca, cert: admin.certPem, key: admin.keyPem, agent: false, timeout: 2000 },
      (response) => {
        response.resume();
        resolve(response.statusCode === 200);
      },
    );
    outgoing.on('timeout', () => outgoing.destroy());
    outgoing.on('error', () => resolve(false));
    outgoing.end();
  });
}

/** Free ports, all different: held together until all are known. */
async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise<ReturnType<typeof createServer>>((resolve, reject) => {
          const server = createServer();
          server.once('error', reject);
          server.listen(0, ADDRESS, () => resolve(server));
        }),
    ),
  );
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
