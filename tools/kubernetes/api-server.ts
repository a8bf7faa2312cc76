/** How this project runs etcd and kube-apiserver: alone for `make test-kube`, as a control plane for `make cluster`. */
import { request } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Pki } from './pki.ts';

const READY_MS = 60_000;
/** GOGC of Kubernetes’ programs in tests: a third of what an API server computes until it is ready is garbage collection, and memory is there. */
export const SELDOM_COLLECTED = '400';

/** Flags of an etcd that is thrown away with its cluster: it never waits for the disk. */
export function etcdFlags(of: {
  readonly dataDirectory: string;
  readonly address: string;
  readonly clientPort: number;
  readonly peerPort: number;
}): string[] {
  const client = `http://${of.address}:${of.clientPort}`;
  const peer = `http://${of.address}:${of.peerPort}`;
  return [
    ...['--name=e', `--data-dir=${of.dataDirectory}`, '--unsafe-no-fsync', '--log-level=warn'],
    ...[`--listen-client-urls=${client}`, `--advertise-client-urls=${client}`],
    ...[`--listen-peer-urls=${peer}`, `--initial-advertise-peer-urls=${peer}`, `--initial-cluster=e=${peer}`],
  ];
}

/** Flags of kube-apiserver that do not depend on where it runs. @param pki folder that `writePki` made, as the process sees it */
export function apiServerFlags(of: {
  readonly etcd: string;
  readonly address: string;
  readonly port: number;
  readonly pki: string;
}): string[] {
  return [
    `--etcd-servers=${of.etcd}`,
    ...[`--bind-address=${of.address}`, `--secure-port=${of.port}`],
    ...[`--tls-cert-file=${of.pki}/apiserver.crt`, `--tls-private-key-file=${of.pki}/apiserver.key`],
    `--client-ca-file=${of.pki}/ca.crt`,
    ...[
      `--kubelet-client-certificate=${of.pki}/kubelet-client.crt`,
      `--kubelet-client-key=${of.pki}/kubelet-client.key`,
    ],
    '--kubelet-preferred-address-types=InternalIP',
    '--service-account-issuer=https://kubernetes.default.svc.cluster.local',
    ...[`--service-account-key-file=${of.pki}/sa.pub`, `--service-account-signing-key-file=${of.pki}/sa.key`],
    ...['--authorization-mode=Node,RBAC', '--enable-admission-plugins=NodeRestriction'],
    '--allow-privileged=true',
  ];
}

/** Resolves when /readyz says so. @param alive false once the process has ended, which is an error here */
export async function untilReady(url: string, pki: Pki, alive: () => boolean): Promise<void> {
  const deadline = performance.now() + READY_MS;
  while (!(await isReady(url, pki))) {
    if (!alive()) throw new Error('the process has ended');
    if (performance.now() > deadline) throw new Error(`not within ${READY_MS / 1000} s`);
    await sleep(100);
  }
}

function isReady(url: string, pki: Pki): Promise<boolean> {
  return new Promise((resolve) => {
    const outgoing = request(
      `${url}/readyz`,
      { ca: pki.caPem, cert: pki.admin.certPem, key: pki.admin.keyPem, agent: false, timeout: 2000 },
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
