import type { Crypto } from '../../formats/crypto/crypto.ts';
import { compareSidecar } from '../../injection/compare-sidecar.ts';
import { hasEnded } from '../../platform/kube/pod-phase.ts';
import type { Pod } from '../../platform/kube/resources.ts';
import { type AgentResult, refuseCall } from '../code.ts';
import type { Caller } from './caller.ts';
import { claimsOf } from './claims-of.ts';

export interface PodRules {
  readonly crypto: Crypto;
  readonly node: string;
  readonly releaseNamespace: string;
  readonly sidecarImages: readonly string[];
  readonly trustDomain: string;
  readonly enclaveDomain: string;
  /** Whether a trust document has named this text of roots; undefined as long as there is no trust document. */
  acceptsRoots(text: string): boolean | undefined;
}

const MIRROR_ANNOTATION = 'kubernetes.io/config.mirror';
const AGAIN = 'create the pod again where the webhook injects';

/**
 * Whether a pod is an enclave of this node that may be quoted, and what is said of it. The same judgement makes a caller and,
 * at each change of the pod, keeps it one. Pure.
 */
export function judgePod(pod: Pod, rules: PodRules): AgentResult<Caller> {
  const { metadata = {}, spec } = pod;
  const name = `pod ${metadata.namespace}/${metadata.name}`;
  if (spec?.nodeName !== rules.node)
    return refuseCall(
      'caller-node',
      `${name} is not on node ${rules.node}`,
      'call the agent of its own node',
    );
  const controlledByNode = metadata.ownerReferences?.some(({ kind }) => kind === 'Node') ?? false;
  if (metadata.annotations?.[MIRROR_ANNOTATION] !== undefined || controlledByNode)
    return refuseCall(
      'caller-mirror-pod',
      `${name} mirrors a static pod: the kubelet started it, no admission saw it`,
      AGAIN,
    );
  if (hasEnded(pod))
    return refuseCall('caller-pod-ended', `${name} has ended`, 'its successor calls by itself');
  if ([rules.releaseNamespace, 'kube-system'].includes(metadata.namespace ?? ''))
    return refuseCall('caller-namespace', `namespace ${metadata.namespace} never holds enclaves`, AGAIN);
  if (!spec.serviceAccountName)
    return refuseCall('caller-service-account', `${name} has no service account`, AGAIN);
  const { sidecarImages, enclaveDomain } = rules;
  let rootsAreKnown = true;
  const acceptsRoots = (text: string): boolean => {
    const accepted = rules.acceptsRoots(text);
    rootsAreKnown = accepted !== undefined;
    return accepted === true;
  };
  const sidecar = compareSidecar(pod, { sidecarImages, enclaveDomain, acceptsRoots });
  // An agent that has just started must not tell a good pod that its sidecar is wrong.
  if (!sidecar.ok && !rootsAreKnown)
    return refuseCall('agent-not-ready', 'the agent has no trust document yet', 'try again', 500);
  if (!sidecar.ok)
    return refuseCall('caller-sidecar', `${sidecar.message} (${sidecar.code})`, sidecar.remedy);
  const claims = claimsOf(rules.crypto, pod, sidecar.value, rules.trustDomain);
  const terminating = metadata.deletionTimestamp !== undefined;
  return { ok: true, value: { claims, sidecar: sidecar.value, terminating } };
}
