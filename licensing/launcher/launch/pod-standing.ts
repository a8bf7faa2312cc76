import { componentUser } from '../../../names/components.ts';
import { SIDECAR_CONTAINER } from '../../../names/sidecar.ts';
import { SIGNERS } from '../../../names/signers.ts';
import type { CertificateSigningRequest, Pod } from '../../../platform/kube/resources.ts';
import { Phase } from '../../../proto/gen/enclave_licensing/licensing/v1/licensing.ts';
import type { LaunchCode } from '../../codes/launch-code.ts';
import { type ContainerStatus, containerFailure } from './container-failure.ts';

const NODE_EXTRA = 'authentication.kubernetes.io/node-name';

export interface PodFailure {
  readonly code: LaunchCode;
  readonly reason: string;
  /** The container whose last words belong to the reason. */
  readonly lastWordsOf?: string;
}

export interface PodStanding {
  /** CREATED to ATTESTED; what is beyond needs more than looking. */
  readonly phase: Phase;
  /** Ready, as the kubelet says, and has an address. */
  readonly ready: boolean;
  /** What it waits for, for a person. */
  readonly detail: string;
  readonly failure?: PodFailure;
}

/** Where a launched pod stands, from its object and the certificate requests; a later phase includes the earlier ones. */
export function podStanding(
  pod: Pod,
  requests: readonly CertificateSigningRequest[],
  releaseNamespace: string,
): PodStanding {
  const own = requestsOf(pod, requests, componentUser('agent', releaseNamespace));
  const sidecar = statusOf(pod, SIDECAR_CONTAINER);
  const phase =
    sidecar?.started === true
      ? Phase.PHASE_ATTESTED
      : own.some((each) => each.status?.certificate)
        ? Phase.PHASE_CERTIFIED
        : sidecar?.state?.running
          ? Phase.PHASE_STARTED
          : Phase.PHASE_CREATED;
  const failure = failureOf(pod, own, phase);
  const isReady = (pod.status?.conditions ?? []).some(
    ({ type, status }) => type === 'Ready' && status === 'True',
  );
  return {
    phase,
    ready: isReady && pod.status?.podIP !== undefined && failure === undefined,
    detail: detailOf(pod, phase),
    ...(failure && { failure }),
  };
}

/**
 * Certificate requests that the agent of the pod's node made for it, oldest first. Others may make some of that name, agents of other nodes among
 * them: they say nothing about the pod.
 */
function requestsOf(
  pod: Pod,
  requests: readonly CertificateSigningRequest[],
  agent: string,
): CertificateSigningRequest[] {
  const prefix = `enclave-${pod.metadata?.uid ?? ''}-`;
  return requests
    .filter(
      ({ metadata, spec }) =>
        spec.signerName === SIGNERS.enclaves &&
        spec.username === agent &&
        isOfNode(spec.extra?.[NODE_EXTRA], pod.spec?.nodeName) &&
        metadata?.name?.startsWith(prefix),
    )
    .sort((a, b) => (a.metadata?.creationTimestamp ?? '').localeCompare(b.metadata?.creationTimestamp ?? ''));
}

/** From the requester's pod-bound token, written by the API server. */
function isOfNode(extra: readonly string[] = [], node: string | undefined): boolean {
  return extra.length === 1 && extra[0] === node;
}

function failureOf(
  pod: Pod,
  requests: readonly CertificateSigningRequest[],
  phase: Phase,
): PodFailure | undefined {
  const { metadata, status } = pod;
  const name = `pod ${metadata?.namespace}/${metadata?.name}`;
  if (metadata?.deletionTimestamp !== undefined)
    return { code: 'pod-gone', reason: `${name} is being deleted by somebody else` };
  if (status?.phase === 'Failed' || status?.phase === 'Succeeded') {
    const why = [status.reason, status.message].filter((each) => each !== undefined && each !== '');
    return {
      code: 'pod-ended',
      reason: `${name} ended: ${why.length > 0 ? why.join(': ') : status.phase}`,
    };
  }
  for (const container of statuses(pod)) {
    const failure = containerFailure(container);
    if (failure !== undefined) return failure;
  }
  if (phase >= Phase.PHASE_CERTIFIED) return undefined;
  const refusal = requests
    .at(-1)
    ?.status?.conditions?.find(
      ({ type, status: isSo }) => (type === 'Denied' || type === 'Failed') && isSo !== 'False',
    );
  if (refusal === undefined) return undefined;
  const words = [refusal.reason, refusal.message].filter((each) => each !== undefined && each !== '');
  return {
    code: 'certificate-denied',
    reason: `the enclave’s certificate was refused: ${words.join(': ') || refusal.type}`,
  };
}

function detailOf(pod: Pod, phase: Phase): string {
  const unscheduled = (pod.status?.conditions ?? []).find(
    ({ type, status }) => type === 'PodScheduled' && status === 'False',
  );
  if (unscheduled !== undefined)
    return `no node takes the pod: ${unscheduled.message ?? unscheduled.reason ?? ''}`;
  const waiting = statuses(pod).find((each) => each.state?.waiting);
  if (phase < Phase.PHASE_STARTED && waiting !== undefined)
    return `container ${waiting.name} waits: ${waiting.state?.waiting?.reason ?? 'unknown'}`;
  switch (phase) {
    case Phase.PHASE_CREATED:
      return pod.spec?.nodeName === undefined
        ? 'waiting for a node'
        : 'waiting for the node to start the sidecar';
    case Phase.PHASE_STARTED:
      return 'waiting for the enclave’s certificate';
    case Phase.PHASE_CERTIFIED:
      return 'waiting for the first quote';
    default:
      return 'waiting for the app to be ready';
  }
}

function statuses(pod: Pod): readonly ContainerStatus[] {
  return [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])];
}

function statusOf(pod: Pod, container: string): ContainerStatus | undefined {
  return statuses(pod).find((each) => each.name === container);
}
