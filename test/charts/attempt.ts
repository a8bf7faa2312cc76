export const NODE = 'policies-1';

/** Who asks, and the groups of each: the administrator's right, so that it is admission that refuses, or a component's own. */
export const CALLERS = {
  admin: ['admin', ['system:masters']],
  launcher: ['system:serviceaccount:enclave-licensing:enclave-launcher', ['system:masters']],
  webhook: ['system:serviceaccount:enclave-licensing:enclave-webhook', ['system:masters']],
  agent: ['system:serviceaccount:enclave-licensing:enclave-agent', ['system:masters']],
  certs: ['system:serviceaccount:enclave-licensing:enclave-certs', ['system:masters']],
  kubelet: [`system:node:${NODE}`, ['system:nodes']],
  renamed: ['admin', ['system:masters', 'system:nodes']],
  ungrouped: [`system:node:${NODE}`, ['system:masters']],
  scheduler: ['system:kube-scheduler', []],
  collector: ['system:serviceaccount:kube-system:generic-garbage-collector', []],
  podCollector: ['system:serviceaccount:kube-system:pod-garbage-collector', ['system:masters']],
  replicaSets: ['system:serviceaccount:kube-system:replicaset-controller', []],
  namespaces: ['system:serviceaccount:kube-system:namespace-controller', ['system:masters']],
  jobs: ['system:serviceaccount:kube-system:job-controller', []],
} as const;
export type Caller = keyof typeof CALLERS;

export interface Attempt {
  readonly what: string;
  readonly as: Caller;
  readonly method: 'post' | 'merge' | 'strategic-merge' | 'get' | 'delete';
  readonly path: string;
  readonly body?: unknown;
}

export type Members = Readonly<Record<string, unknown>>;
