/** What the chart is told about the cluster on one machine, and what stands there before it. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DEFAULT_RELEASE_NAMESPACE } from '../../../names/components.ts';
import { CONTROL_ADDRESS, ENTRY_PORT, FRONT_NODE_PORT, type Layout, MACHINE_RANGE } from './layout.ts';
import { TPM_FOLDER, TPM_GROUP, TPM_SOCKET } from './tpm.ts';

/** On the first node: front's database. */
export const FRONT_STORAGE = '/var/lib/enclave-front';

export function chartValues({ folder }: Layout): object {
  const roots = join(folder, 'ek-roots');
  return {
    publicEndpoint: `${CONTROL_ADDRESS}:${ENTRY_PORT}`,
    tpm: {
      socketDirectory: TPM_FOLDER,
      socket: TPM_SOCKET,
      group: TPM_GROUP,
      ekRoots: Object.fromEntries(
        readdirSync(roots).map((file) => [`emulated/${file}`, readFileSync(join(roots, file), 'utf8')]),
      ),
    },
    // What an operator knows of the network: the addresses of nodes and control plane, and who scrapes.
    networkPolicy: {
      nodes: [{ ipBlock: { cidr: MACHINE_RANGE } }],
      metricsFrom: [
        { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'monitoring' } } },
        { ipBlock: { cidr: `${CONTROL_ADDRESS}/32` } },
      ],
    },
    front: { seats: 6, service: { type: 'NodePort', nodePort: FRONT_NODE_PORT } },
  };
}

/** A volume on the first node for front's claim: this cluster makes none by itself. */
export function frontVolume({ nodes }: Layout): object {
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: 'enclave-front' },
    spec: {
      capacity: { storage: '1Gi' },
      accessModes: ['ReadWriteOnce'],
      persistentVolumeReclaimPolicy: 'Retain',
      storageClassName: '',
      claimRef: { namespace: DEFAULT_RELEASE_NAMESPACE, name: 'enclave-front' },
      local: { path: FRONT_STORAGE },
      nodeAffinity: {
        required: {
          nodeSelectorTerms: [
            {
              matchExpressions: [
                { key: 'kubernetes.io/hostname', operator: 'In', values: [nodes[0]?.name ?? ''] },
              ],
            },
          ],
        },
      },
    },
  };
}
