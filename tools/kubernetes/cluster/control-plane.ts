/** etcd, kube-apiserver, controller manager, scheduler and the cluster's DNS on the control plane's machine. */
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { apiServerFlags, etcdFlags, untilReady } from '../api-server.ts';
import { type Pki, writePki } from '../pki.ts';
import {
  API_PORT,
  API_SERVICE_ADDRESS,
  API_URL,
  CONTROL_ADDRESS,
  type Layout,
  SERVICE_RANGE,
} from './layout.ts';
import { INSIDE, isRunning, logTail, PROGRAMS, startProgram } from './machine.ts';

const ETCD = { address: '127.0.0.1', clientPort: 2379, peerPort: 2380 };
const AUDIT_POLICY = join(import.meta.dirname, 'audit-policy.yaml');

export async function startControlPlane({ control, kubeconfig }: Layout): Promise<Pki> {
  const pki = await writePki(join(control.folder, 'pki'), API_URL, [
    CONTROL_ADDRESS,
    API_SERVICE_ADDRESS,
    '127.0.0.1',
  ]);
  await pki.writeKubeconfig('controller-manager', 'system:kube-controller-manager');
  await pki.writeKubeconfig('scheduler', 'system:kube-scheduler');
  await pki.writeKubeconfig('coredns', 'system:coredns');
  await pki.writeKubeconfig('kube-proxy', 'system:kube-proxy');
  await pki.writeKubeconfig('network-policies', 'system:network-policies');
  copyFileSync(join(pki.folder, 'admin.kubeconfig'), kubeconfig);
  copyFileSync(AUDIT_POLICY, join(control.folder, 'audit-policy.yaml'));
  mkdirSync(join(control.folder, 'audit'), { recursive: true });
  const files = `${INSIDE}/pki`;
  startProgram(control, 'etcd', [
    `${PROGRAMS}/etcd`,
    ...etcdFlags({ ...ETCD, dataDirectory: '/var/lib/etcd' }),
  ]);
  startProgram(control, 'kube-apiserver', [
    `${PROGRAMS}/kube-apiserver`,
    ...apiServerFlags({
      etcd: `http://${ETCD.address}:${ETCD.clientPort}`,
      address: '0.0.0.0',
      port: API_PORT,
      pki: files,
    }),
    `--advertise-address=${CONTROL_ADDRESS}`,
    // Webhooks are dialled at their pods: no kube-proxy runs here.
    ...[`--service-cluster-ip-range=${SERVICE_RANGE}`, '--enable-aggregator-routing=true'],
    ...[`--audit-policy-file=${INSIDE}/audit-policy.yaml`, `--audit-log-path=${INSIDE}/audit/audit.log`],
    // Pods of a node that is gone move after 30 s, not 5 min: what a test that loses a node waits for.
    ...['--default-not-ready-toleration-seconds=30', '--default-unreachable-toleration-seconds=30'],
  ]);
  await untilReady(API_URL, pki, () => isRunning(control, 'kube-apiserver')).catch((error: Error) => {
    throw new Error(`kube-apiserver: ${error.message}\n${logTail(control, 'kube-apiserver')}`);
  });
  const as = (file: string): string[] =>
    ['kubeconfig', 'authentication-kubeconfig', 'authorization-kubeconfig'].map(
      (flag) => `--${flag}=${files}/${file}.kubeconfig`,
    );
  startProgram(control, 'kube-controller-manager', [
    `${PROGRAMS}/kube-controller-manager`,
    ...as('controller-manager'),
    ...['--bind-address=127.0.0.1', '--leader-elect=false', '--use-service-account-credentials'],
    ...[`--service-account-private-key-file=${files}/sa.key`, `--root-ca-file=${files}/ca.crt`],
    ...[`--cluster-signing-cert-file=${files}/ca.crt`, `--cluster-signing-key-file=${files}/ca.key`],
    // Kubelets report every 4 s (node.ts): three missed reports make a node NotReady.
    ...['--node-monitor-period=2s', '--node-monitor-grace-period=16s'],
  ]);
  startProgram(control, 'kube-scheduler', [
    `${PROGRAMS}/kube-scheduler`,
    ...as('scheduler'),
    ...['--bind-address=127.0.0.1', '--leader-elect=false'],
  ]);
  writeFileSync(
    join(control.folder, 'Corefile'),
    `.:53 {
  bind ${CONTROL_ADDRESS}
  errors
  kubernetes cluster.local in-addr.arpa {
    kubeconfig ${files}/coredns.kubeconfig
  }
  cache 5
}
`,
  );
  startProgram(control, 'coredns', [`${PROGRAMS}/coredns`, '-conf', `${INSIDE}/Corefile`]);
  return pki;
}
