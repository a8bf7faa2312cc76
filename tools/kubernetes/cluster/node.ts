/** What makes a machine a node: containerd, kubelet, kube-proxy, and what enforces network policies. */
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { stringify } from 'yaml';
import { mustRun } from '../../cluster/command.ts';
import type { Pki } from '../pki.ts';
import { BUSYBOX, CGROUP, type ClusterNode, DNS_ADDRESS, POD_RANGE, SERVICE_RANGE } from './layout.ts';
import { INSIDE, isRunning, logTail, PROGRAMS, runIn, startProgram } from './machine.ts';

const CONTAINERD = '/run/containerd/containerd.sock';
const CGROUPS = join(import.meta.dirname, 'cgroups.sh');
const START_MS = 30_000;

export async function startNode(node: ClusterNode, pki: Pki): Promise<void> {
  const put = (name: string, text: string): void => writeFileSync(join(node.folder, name), text);
  mkdirSync(join(node.folder, 'cni'), { recursive: true });
  await pki.writeKubeconfig(node.name, `system:node:${node.name}`, ['system:nodes']);
  for (const name of [node.name, 'kube-proxy', 'network-policies'])
    copyFileSync(join(pki.folder, `${name}.kubeconfig`), join(node.folder, `${name}.kubeconfig`));
  copyFileSync(join(pki.folder, 'ca.crt'), join(node.folder, 'ca.crt'));
  for (const name of ['runc-wrapper.sh', 'shift-clock.py'])
    copyFileSync(join(import.meta.dirname, name), join(node.folder, name));
  put('cni/10-pods.conflist', JSON.stringify(cniConfiguration(node)));
  put('containerd.toml', CONTAINERD_TOML);
  put('kubelet.yaml', stringify(kubeletConfiguration(node)));
  put('kube-proxy.yaml', stringify(proxyConfiguration(node)));
  await makeCgroups(node);
  startProgram(node, 'containerd', [`${PROGRAMS}/containerd`, '-c', `${INSIDE}/containerd.toml`]);
  await untilContainerd(node);
}

/** The parent of those that its kubelet makes. */
export async function makeCgroups(node: ClusterNode): Promise<void> {
  await mustRun('bash', [CGROUPS, 'make', `${CGROUP}/${node.name}`, noteIn(dirname(node.folder))]);
}

/** Of every node of the cluster in this folder; their processes have ended. */
export async function removeCgroups(folder: string): Promise<void> {
  await mustRun('bash', [CGROUPS, 'remove', CGROUP, noteIn(folder)]);
}

function noteIn(folder: string): string {
  return join(folder, 'cgroups');
}

/** After the images: the kubelet's first pods need the one of sandboxes. */
export function startKubelet(node: ClusterNode): void {
  startProgram(node, 'kubelet', [
    `${PROGRAMS}/kubelet`,
    ...[`--config=${INSIDE}/kubelet.yaml`, `--kubeconfig=${INSIDE}/${node.name}.kubeconfig`],
    ...[`--hostname-override=${node.name}`, `--node-ip=${node.address}`, '--v=2'],
  ]);
  startProgram(node, 'kube-proxy', [`${PROGRAMS}/kube-proxy`, `--config=${INSIDE}/kube-proxy.yaml`]);
  startProgram(node, 'network-policies', [
    `${PROGRAMS}/network-policies`,
    ...[`--kubeconfig=${INSIDE}/network-policies.kubeconfig`, `--node=${node.name}`],
    `--services=${SERVICE_RANGE}`,
  ]);
}

/** `ctr` of the node, in the kubelet's namespace of images. */
export function ctr(node: ClusterNode, ...args: string[]): Promise<string> {
  return runIn(node, [`${PROGRAMS}/ctr`, `--address=${CONTAINERD}`, '--namespace=k8s.io', ...args]);
}

export async function untilContainerd(node: ClusterNode): Promise<void> {
  const deadline = performance.now() + START_MS;
  for (;;) {
    const answers = await ctr(node, 'version').then(
      () => true,
      () => false,
    );
    if (answers) return;
    if (!isRunning(node, 'containerd') || performance.now() > deadline)
      throw new Error(`containerd of ${node.name}:\n${logTail(node, 'containerd')}`);
    await sleep(100);
  }
}

/** Each pod is routed by itself, not bridged: its traffic always passes kube-proxy's rules. */
function cniConfiguration({ subnet }: ClusterNode): object {
  return {
    cniVersion: '1.0.0',
    name: 'pods',
    plugins: [
      {
        type: 'ptp',
        ipMasq: false,
        ipam: {
          type: 'host-local',
          dataDir: '/run/cni',
          ranges: [[{ subnet }]],
          routes: [{ dst: '0.0.0.0/0' }],
        },
      },
    ],
  };
}

// restrict_oom_score_adj: a machine without CAP_SYS_RESOURCE cannot lower a score.
const CONTAINERD_TOML = `version = 3
root = "/var/lib/containerd"
state = "/run/containerd"
[grpc]
  address = "${CONTAINERD}"
[plugins."io.containerd.cri.v1.images".pinned_images]
  sandbox = "${BUSYBOX}"
[plugins."io.containerd.cri.v1.runtime"]
  restrict_oom_score_adj = true
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
  BinaryName = "${INSIDE}/runc-wrapper.sh"
  SystemdCgroup = false
[plugins."io.containerd.cri.v1.runtime".cni]
  bin_dirs = ["${PROGRAMS}/cni"]
  conf_dir = "${INSIDE}/cni"
`;

function kubeletConfiguration({ name }: ClusterNode): object {
  return {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: `${INSIDE}/ca.crt` },
    },
    authorization: { mode: 'Webhook' },
    containerRuntimeEndpoint: `unix://${CONTAINERD}`,
    cgroupDriver: 'cgroupfs',
    cgroupRoot: `/${CGROUP}/${name}`,
    failCgroupV1: false,
    failSwapOn: false,
    clusterDomain: 'cluster.local',
    clusterDNS: [DNS_ADDRESS],
    // Nothing of the machine's own names reaches pods.
    resolvConf: '',
    // With the controller manager's grace of 16 s a lost node is noticed in that time; at the defaults (10 s, 40 s) tests would wait.
    nodeStatusUpdateFrequency: '4s',
    nodeStatusReportFrequency: '4s',
    nodeLeaseDurationSeconds: 16,
    // A container that ended is started again at once: tests kill each one many times.
    crashLoopBackOff: { maxContainerRestartPeriod: '1s' },
    // Images are imported, never pulled: none may be collected, and a full disk of the machine is not the cluster's business.
    imageGCHighThresholdPercent: 100,
    evictionHard: {
      'nodefs.available': '1%',
      'imagefs.available': '1%',
      'memory.available': '100Mi',
      'nodefs.inodesFree': '0%',
      'imagefs.inodesFree': '0%',
    },
  };
}

function proxyConfiguration({ name }: ClusterNode): object {
  return {
    apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
    kind: 'KubeProxyConfiguration',
    mode: 'nftables',
    clientConnection: { kubeconfig: `${INSIDE}/kube-proxy.kubeconfig` },
    hostnameOverride: name,
    clusterCIDR: POD_RANGE,
    // The limits of connection tracking are the whole machine's: left as they are.
    conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: '0s', tcpCloseWaitTimeout: '0s' },
  };
}
