import type { User } from '../call.ts';
import type { Cluster } from '../cluster.ts';
import type { Attributes, Decision } from './attributes.ts';
import { authorizeNode } from './node.ts';
import { allowedByRbac } from './rbac.ts';

const ADMINISTRATORS = 'system:masters';

/** `system:masters` may everything; else the node authorizer or RBAC must allow it. */
export function authorize(cluster: Cluster, user: User, attributes: Attributes): Decision {
  if (user.groups.includes(ADMINISTRATORS) || allowedByRbac(cluster, user, attributes))
    return { allowed: true };
  return authorizeNode(cluster, user, attributes);
}

/** The refusal in the words of kube-apiserver. */
export function refusal(user: User, attributes: Attributes, decision: Decision): string {
  const { verb, group = '', resource = '', subresource = '', namespace, path } = attributes;
  const more = decision.reason === undefined ? '' : `: ${decision.reason}`;
  if (path !== undefined) return `User "${user.username}" cannot ${verb} path "${path}"${more}`;
  const named = subresource === '' ? resource : `${resource}/${subresource}`;
  const where = namespace === undefined ? 'at the cluster scope' : `in the namespace "${namespace}"`;
  return `User "${user.username}" cannot ${verb} resource "${named}" in API group "${group}" ${where}${more}`;
}
