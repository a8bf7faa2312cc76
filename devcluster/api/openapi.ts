import type { Fields } from './object.ts';
import { apiVersionOf, type Resource } from './resource.ts';

const ROOT = '/openapi/v3';

/**
 * OpenAPI v3 as far as kubectl reads it before `apply`: that PATCH of a kind knows `fieldValidation` (so that the server
 * validates, not kubectl). No schemas: kubectl has those of built-in kinds itself.
 */
export function openApi(pathname: string, resources: readonly Resource[]): Fields | undefined {
  if (pathname === ROOT) {
    const roots = new Set(resources.map(rootOf));
    return {
      paths: Object.fromEntries([...roots].map((root) => [root, { serverRelativeURL: `${ROOT}/${root}` }])),
    };
  }
  const served = resources.filter((resource) => pathname === `${ROOT}/${rootOf(resource)}`);
  if (served.length === 0) return undefined;
  return {
    openapi: '3.0.0',
    info: { title: 'Kubernetes', version: 'devcluster' },
    paths: Object.fromEntries(served.map((resource) => [pathOf(resource), operations(resource)])),
    components: { schemas: {} },
  };
}

/** `api/v1` or `apis/<group>/<version>`. */
function rootOf(resource: Resource): string {
  return `${resource.group === '' ? 'api' : 'apis'}/${apiVersionOf(resource)}`;
}

function pathOf(resource: Resource): string {
  const scope = resource.namespaced ? 'namespaces/{namespace}/' : '';
  return `/${rootOf(resource)}/${scope}${resource.plural}/{name}`;
}

function operations(resource: Resource): Fields {
  const { group, version, kind } = resource;
  const parameter = { in: 'query', name: 'fieldValidation', schema: { type: 'string', uniqueItems: true } };
  return {
    patch: {
      'x-kubernetes-action': 'patch',
      'x-kubernetes-group-version-kind': { group, version, kind },
      parameters: [parameter],
      requestBody: { content: { 'application/merge-patch+json': { schema: { type: 'object' } } } },
      responses: { 200: { description: 'OK' } },
    },
  };
}
