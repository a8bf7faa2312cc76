import { ENABLED, INJECTION_LABEL } from '../../names/labels.ts';
import type { Namespace, Pod } from '../../platform/kube/resources.ts';
import type { TokenIdentity } from '../../platform/kube/token-review.ts';
import { type AgentResult, refuseCall } from '../code.ts';
import type { Caller } from './caller.ts';
import { judgePod, type PodRules } from './judge-pod.ts';

/** Which pod a token speaks for. */
export interface TokenPod {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly serviceAccount: string;
}

const ACCOUNT = /^system:serviceaccount:([^:]+):([^:]+)$/;

/** The pod of a token that is bound to a pod of this node; anything less is refused. Pure. */
export function podOfToken(token: TokenIdentity, node: string): AgentResult<TokenPod> {
  const [, namespace, serviceAccount] = ACCOUNT.exec(token.username) ?? [];
  const { podName, podUid, nodeName } = token;
  if (namespace === undefined || serviceAccount === undefined || !podName || !podUid)
    return refuseCall(
      'caller-token',
      'the token is not bound to a pod',
      "use the pod's projected service account token",
    );
  if (nodeName !== node)
    return refuseCall(
      'caller-node',
      `the token is of a pod of node ${JSON.stringify(nodeName ?? '')}, not ${node}`,
      'call the agent of the own node (status.hostIP)',
    );
  return { ok: true, value: { namespace, name: podName, uid: podUid, serviceAccount } };
}

/** An address as the API server writes it: IPv4 never as IPv6. */
export function plainAddress(address: string): string {
  return address.toLowerCase().replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/, '');
}

/**
 * Whether the pod of the token is the one that calls: the API server knows a pod of this UID and service account, and the
 * connection comes from its address. A token alone proves only that somebody got it. Pure.
 * @param remoteAddress of the connection
 */
export function judgeCaller(
  token: TokenPod,
  remoteAddress: string,
  pod: Pod | undefined,
  namespace: Namespace | undefined,
  rules: PodRules,
): AgentResult<Caller> {
  if (pod === undefined || pod.metadata?.uid !== token.uid)
    return refuseCall(
      'caller-pod-missing',
      `there is no pod ${token.namespace}/${token.name} of UID ${token.uid}`,
      'the pod was replaced: its successor calls by itself',
    );
  if (namespace?.metadata?.labels?.[INJECTION_LABEL] !== ENABLED)
    return refuseCall(
      'caller-namespace',
      `namespace ${token.namespace} has no label ${INJECTION_LABEL}: ${ENABLED}`,
      'label the namespace, then create the pod again',
    );
  const judged = judgePod(pod, rules);
  if (!judged.ok) return judged;
  if (pod.spec?.serviceAccountName !== token.serviceAccount)
    return refuseCall(
      'caller-service-account',
      `the token is of service account ${token.serviceAccount}, the pod has ${pod.spec?.serviceAccountName}`,
      "use the pod's own token",
    );
  const addresses = [pod.status?.podIP, ...(pod.status?.podIPs ?? []).map(({ ip }) => ip)];
  if (!addresses.some((address) => address && plainAddress(address) === plainAddress(remoteAddress)))
    return refuseCall(
      'caller-address',
      `the connection comes from ${plainAddress(remoteAddress)}, the pod has ${addresses[0] ?? 'no address yet'}`,
      'call from the pod itself',
    );
  return judged;
}
