/** A cluster with the product installed, as an operator would: what the demo and the end-to-end tests stand on. */
import type { Kube } from '../../platform/kube/kube.ts';
import type { Catalogue } from './catalogue.ts';
import type { CommandResult } from './command.ts';

export const ENCLAVE_NAMESPACE = 'enclaves';
/** The release, where helm installs the chart for tests and `make cluster`. */
export const RELEASE_NAME = 'licensing';
export const FRONT_NAME = 'front.enclave-licensing.internal';

export type Replicated = 'enclave-certs' | 'enclave-front' | 'enclave-launcher' | 'enclave-webhook';

export interface EnvironmentCluster {
  /** The administrator's. */
  readonly kubeconfig: string;
  readonly nodes: readonly { readonly name: string; readonly address: string }[];
  /** The API server is a real kube-apiserver. */
  readonly real: boolean;
  /** The API server goes away: nothing listens, every connection is cut. What is stored stays. */
  suspendApi(): Promise<void>;
  /** It comes back; resolves when it answers. */
  resumeApi(): Promise<void>;
  /** A node's TPM stops answering; `startTpm` is a reset. */
  stopTpm(node: string): Promise<void>;
  startTpm(node: string): Promise<void>;
}

export interface Environment {
  readonly directory: string;
  readonly cluster: EnvironmentCluster;
  readonly catalogue: Catalogue;
  /** Namespace of the components. */
  readonly releaseNamespace: string;
  /** Of each user's licence. */
  readonly seats: number;
  /** The operator's roots file, as handed to users. */
  readonly rootsFile: string;
  /** host:port of front. */
  readonly frontAddress: string;
  /** The API server as the cluster's administrator sees it. */
  readonly kube: Kube;
  /** kubectl as the cluster's administrator. */
  kubectl(args: readonly string[], input?: string): Promise<string>;
  tryKubectl(args: readonly string[], input?: string): Promise<CommandResult>;
  /** Has so many of the component run; resolves when every component is Ready. */
  replicas(component: Replicated, count: number): Promise<void>;
  /** Processes of one component, by what they run; a sidecar's by its enclave. */
  processes(component: string, enclave?: string): number[];
  /** Every container's log of every pod that ran, by name. */
  logs(): Promise<Map<string, string>>;
  stop(): Promise<void>;
}

export interface EnvironmentOptions {
  /** Everything that the environment writes lies below this folder. */
  readonly directory: string;
  readonly nodes?: number;
  readonly requireIsolation?: boolean;
  readonly seats?: number;
  /** Front keeps what it knows in PostgreSQL, for more than one replica of it. */
  readonly databaseUrl?: string;
  /** Told what happens, one line each. */
  readonly progress?: (line: string) => void;
  readonly signal?: AbortSignal;
}
