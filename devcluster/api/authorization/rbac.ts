import type { User } from '../call.ts';
import type { Cluster } from '../cluster.ts';
import { dig, type Fields, items, type KubeObject, text, texts } from '../object.ts';
import { storageKey } from '../resource.ts';
import type { Attributes } from './attributes.ts';

const GROUP = 'rbac.authorization.k8s.io';

/** Role-based access control: some binding of the user to a role that has a rule for it. */
export function allowedByRbac(cluster: Cluster, user: User, attributes: Attributes): boolean {
  const { store } = cluster;
  const clusterWide = store.list(`clusterrolebindings.${GROUP}`);
  const local =
    attributes.namespace === undefined ? [] : store.list(`rolebindings.${GROUP}`, attributes.namespace);
  return [...clusterWide, ...local].some(
    (binding) =>
      items(binding['subjects']).some((subject) => isSubject(subject, user, binding)) &&
      rulesOf(cluster, binding).some((rule) => allows(rule, attributes)),
  );
}

function isSubject(subject: Fields, user: User, binding: KubeObject): boolean {
  const name = text(subject['name']);
  switch (subject['kind']) {
    case 'User':
      return name === user.username;
    case 'Group':
      return user.groups.includes(name);
    case 'ServiceAccount': {
      const namespace = text(subject['namespace']) || (binding.metadata.namespace ?? '');
      return user.username === `system:serviceaccount:${namespace}:${name}`;
    }
    default:
      return false;
  }
}

function rulesOf(cluster: Cluster, binding: KubeObject): Fields[] {
  const name = text(dig(binding, 'roleRef', 'name'));
  const role =
    dig(binding, 'roleRef', 'kind') === 'ClusterRole'
      ? cluster.store.get(`clusterroles.${GROUP}`, storageKey(undefined, name))
      : cluster.store.get(`roles.${GROUP}`, storageKey(binding.metadata.namespace, name));
  return items(role?.['rules']);
}

function allows(rule: Fields, attributes: Attributes): boolean {
  if (!includes(rule['verbs'], attributes.verb)) return false;
  if (attributes.path !== undefined) {
    const { path } = attributes;
    return texts(rule['nonResourceURLs']).some(
      (url) => url === path || (url.endsWith('*') && path.startsWith(url.slice(0, -1))),
    );
  }
  const { group = '', resource = '', subresource = '', name = '' } = attributes;
  const full = subresource === '' ? resource : `${resource}/${subresource}`;
  const names = texts(rule['resourceNames']);
  return (
    includes(rule['apiGroups'], group) &&
    texts(rule['resources']).some(
      (each) => each === '*' || each === full || (subresource !== '' && each === `*/${subresource}`),
    ) &&
    (names.length === 0 || names.includes(name))
  );
}

function includes(list: unknown, value: string): boolean {
  const held = texts(list);
  return held.includes('*') || held.includes(value);
}
