/** Addresses, names and folders of the cluster on one machine. */
import { join } from 'node:path';
import type { Machine } from './machine.ts';

/** Host's end of the way in: an interface of this name, gone with the cluster. */
export const HOST_LINK = 'enclave0';
export const HOST_ADDRESS = '10.99.0.254';
export const CONTROL_ADDRESS = '10.99.0.1';
/** Addresses of host, control plane and nodes. */
export const MACHINE_RANGE = '10.99.0.0/24';
export const API_PORT = 6443;
export const API_URL = `https://${CONTROL_ADDRESS}:${API_PORT}`;
export const SERVICE_RANGE = '10.96.0.0/16';
/** The Service `kubernetes`, first of the range. */
export const API_SERVICE_ADDRESS = '10.96.0.1';
export const DNS_ADDRESS = '10.96.0.10';
/** CoreDNS itself, for what runs outside of nodes. */
export const DNS_UPSTREAM = `${CONTROL_ADDRESS}:53`;
/** Enclaves from outside, on the control plane's address. */
export const ENTRY_PORT = 8443;
/** Front from outside, on every node's address. */
export const FRONT_NODE_PORT = 30447;
export const POD_RANGE = '10.244.0.0/16';
/** Parent of every cgroup that the nodes make, in each hierarchy. */
export const CGROUP = 'enclave-cluster';
/** Of ordinary pods, and of sandboxes. */
export const BUSYBOX = 'localhost/busybox:1';

export interface ClusterNode extends Machine {
  readonly address: string;
  /** Of its pods. */
  readonly subnet: string;
}

export interface Layout {
  /** `.cluster` of the checkout: everything that the cluster writes. */
  readonly folder: string;
  readonly control: Machine;
  readonly nodes: readonly ClusterNode[];
  readonly kubeconfig: string;
}

export function layout(folder: string, nodes: number): Layout {
  return {
    folder,
    control: { name: 'control', folder: join(folder, 'control') },
    nodes: Array.from({ length: nodes }, (_, index) => ({
      name: `node${index + 1}`,
      folder: join(folder, `node${index + 1}`),
      address: `10.99.0.${11 + index}`,
      subnet: `10.244.${index + 1}.0/24`,
    })),
    kubeconfig: join(folder, 'kubeconfig'),
  };
}
