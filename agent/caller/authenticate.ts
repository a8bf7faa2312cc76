import { AGENT_AUDIENCE, POD_CHANGED } from '../../names/wire.ts';
import type { Kube } from '../../platform/kube/kube.ts';
import { NAMESPACES, PODS, type Pod } from '../../platform/kube/resources.ts';
import { reviewToken } from '../../platform/kube/token-review.ts';
import { type AgentRefusal, type AgentResult, refuseCall } from '../code.ts';
import type { Caller } from './caller.ts';
import { judgeCaller, podOfToken } from './judge-caller.ts';
import type { PodRules } from './judge-pod.ts';

export interface AuthenticationOptions {
  readonly kube: Kube;
  readonly rules: PodRules;
  /** The local copy of the node's pods. */
  knownPod(namespace: string, name: string): Pod | undefined;
  /** Why a pod that was connected before is let in no more. */
  refusalOf(podUid: string): AgentRefusal | undefined;
}

/** No token that the API server makes is longer. */
const MAX_TOKEN = 8192;

/**
 * Establishes who calls, once per connection. Asks the API server for the token, and for the pod when the local copy does
 * not already say enough.
 * @throws when the API server does not answer
 */
export async function authenticate(
  authorization: string | undefined,
  remoteAddress: string,
  options: AuthenticationOptions,
): Promise<AgentResult<Caller>> {
  const { kube, rules, knownPod } = options;
  const token = /^Bearer ([\w.~+/-]+=*)$/.exec(authorization ?? '')?.[1];
  if (token === undefined || token.length > MAX_TOKEN)
    return refuseCall(
      'token-missing',
      'the first request on a connection has no bearer token',
      "send the pod's projected token",
    );
  const identity = await reviewToken(kube, token, AGENT_AUDIENCE);
  if (identity === undefined)
    return refuseCall(
      'token-refused',
      `the API server does not know the token for the audience ${AGENT_AUDIENCE}`,
      'read the projected token again',
    );
  const bound = podOfToken(identity, rules.node);
  if (!bound.ok) return bound;
  const { namespace, name, uid } = bound.value;
  // Whatever it would be refused for now as well: its sidecar has to know that it is over for good.
  const over = options.refusalOf(uid);
  if (over?.code === POD_CHANGED) return over;
  const namespaceObject = await kube.get(NAMESPACES, { name: namespace });
  const judge = (pod: Pod | undefined): AgentResult<Caller> =>
    judgeCaller(bound.value, remoteAddress, pod, namespaceObject, rules);
  const known = judge(knownPod(namespace, name));
  // The copy may be a moment behind, for example before the kubelet has written the pod's address.
  return known.ok ? known : judge(await kube.get(PODS, { namespace, name }));
}
