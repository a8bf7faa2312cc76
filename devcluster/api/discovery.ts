import type { Fields } from './object.ts';
import { apiVersionOf, type Resource } from './resource.ts';

/** /api, /apis, /apis/<group>, and the resources of one group version. `undefined`: not served. */
export function discover(
  pathname: string,
  resources: readonly Resource[],
  address: string,
): Fields | undefined {
  const parts = pathname.split('/').filter((part) => part !== '');
  const [root, first, second] = parts;
  if (root === 'api' && parts.length === 1)
    return {
      kind: 'APIVersions',
      versions: ['v1'],
      serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress: address }],
    };
  if (root === 'apis' && parts.length === 1)
    return { kind: 'APIGroupList', apiVersion: 'v1', groups: groupsOf(resources) };
  if (root === 'apis' && parts.length === 2) {
    const group = groupsOf(resources).find((each) => each['name'] === first);
    return group === undefined ? undefined : { kind: 'APIGroup', apiVersion: 'v1', ...group };
  }
  const apiVersion = root === 'api' && parts.length === 2 ? first : `${first}/${second}`;
  if (root === 'apis' && parts.length !== 3) return undefined;
  const served = resources.filter((resource) => apiVersionOf(resource) === apiVersion);
  if (served.length === 0) return undefined;
  return {
    kind: 'APIResourceList',
    ...(root === 'api' ? {} : { apiVersion: 'v1' }),
    groupVersion: apiVersion,
    resources: served.flatMap(listed),
  };
}

function groupsOf(resources: readonly Resource[]): Fields[] {
  const groups = new Map<string, Set<string>>();
  for (const { group, version } of resources)
    if (group !== '') groups.set(group, (groups.get(group) ?? new Set()).add(version));
  return [...groups].map(([name, held]) => {
    const versions = [...held].map((version) => ({ groupVersion: `${name}/${version}`, version }));
    return { name, versions, preferredVersion: versions[0] };
  });
}

function listed(resource: Resource): Fields[] {
  const main = {
    name: resource.plural,
    singularName: resource.singular,
    namespaced: resource.namespaced,
    kind: resource.kind,
    verbs: resource.verbs,
    ...(resource.shortNames.length === 0 ? {} : { shortNames: resource.shortNames }),
    ...(resource.categories.length === 0 ? {} : { categories: resource.categories }),
  };
  const subresources = Object.entries(resource.subresources).map(([name, subresource]) => ({
    name: `${resource.plural}/${name}`,
    singularName: '',
    namespaced: resource.namespaced,
    ...(subresource.group === undefined ? {} : { group: subresource.group, version: subresource.version }),
    kind: subresource.kind === '' ? resource.kind : subresource.kind,
    verbs: subresource.verbs,
  }));
  return [main, ...subresources];
}
