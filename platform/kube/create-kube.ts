import type { Kube, ListOptions, Projection } from './kube.ts';
import { KubeError } from './kube-error.ts';
import { ListPages } from './list-pages.ts';
import { type ApiServer, Transport } from './transport.ts';
import { startWatch } from './watch.ts';
import type { KubeObject, Ref, Resource } from './wire.ts';

const PATCH_TYPES = {
  merge: 'application/merge-patch+json',
  json: 'application/json-patch+json',
  strategic: 'application/strategic-merge-patch+json',
} as const;

/** A client of one API server. */
export function createKube(api: ApiServer): Kube {
  const transport = new Transport(api);
  const json = async <T>(call: Parameters<Transport['send']>[0]): Promise<T> =>
    JSON.parse(await transport.send(call)) as T;
  return {
    get: async (resource, ref, signal) =>
      orUndefined(json({ method: 'GET', path: objectPath(resource, ref), ...(signal && { signal }) })),
    list: async <T extends KubeObject, S = T>(
      resource: Resource<T>,
      options: ListOptions & Projection<T, S> = {},
    ) => {
      // Without a projection S is T.
      const project = options.project ?? ((object: T) => object as unknown as S);
      const pages = new ListPages<T>(
        transport,
        collectionPath(resource, options.namespace),
        selectors(options),
      );
      const items: S[] = [];
      let resourceVersion = '';
      for await (const page of pages.list()) {
        for (const item of page.items) items.push(project(withType(resource, item)));
        resourceVersion = page.resourceVersion;
      }
      return { items, resourceVersion };
    },
    create: (resource, object, options = {}) =>
      json({
        method: 'POST',
        path: collectionPath(resource, namespaceOf(resource, object)),
        query: { dryRun: options.dryRun ? 'All' : undefined },
        body: withType(resource, object),
      }),
    replace: (resource, object, subresource) =>
      json({
        method: 'PUT',
        path: objectPath(resource, refOf(object), subresource),
        body: withType(resource, object),
      }),
    patch: (resource, ref, patch, type = 'merge', subresource) =>
      json({
        method: 'PATCH',
        path: objectPath(resource, ref, subresource),
        body: patch,
        contentType: PATCH_TYPES[type],
      }),
    delete: async (resource, ref, { uid, resourceVersion, gracePeriodSeconds, propagationPolicy } = {}) => {
      const preconditions = { ...(uid && { uid }), ...(resourceVersion && { resourceVersion }) };
      const body = {
        apiVersion: 'v1',
        kind: 'DeleteOptions',
        ...(Object.keys(preconditions).length > 0 && { preconditions }),
        ...(gracePeriodSeconds !== undefined && { gracePeriodSeconds }),
        ...(propagationPolicy && { propagationPolicy }),
      };
      const deleted = await orUndefined(json({ method: 'DELETE', path: objectPath(resource, ref), body }));
      return deleted !== undefined;
    },
    createSubresource: (resource, ref, subresource, body) =>
      json({ method: 'POST', path: objectPath(resource, ref, subresource), body }),
    log: (ref, options = {}) =>
      transport.send({
        method: 'GET',
        path: `/api/v1/namespaces/${encodeURIComponent(ref.namespace ?? '')}/pods/${encodeURIComponent(ref.name)}/log`,
        query: {
          container: options.container,
          tailLines: options.tailLines?.toString(),
          previous: options.previous ? 'true' : undefined,
        },
      }),
    watch: (resource, options) =>
      startWatch(
        transport,
        resource,
        collectionPath(resource, options.namespace),
        selectors(options),
        options,
      ),
    close: () => transport.close(),
  };
}

function groupPath(apiVersion: string): string {
  return apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
}

function collectionPath(resource: Resource<KubeObject>, namespace: string | undefined): string {
  const scope =
    resource.namespaced && namespace !== undefined ? `/namespaces/${encodeURIComponent(namespace)}` : '';
  return `${groupPath(resource.apiVersion)}${scope}/${resource.plural}`;
}

function objectPath(resource: Resource<KubeObject>, ref: Ref, subresource?: string): string {
  // An empty name would address the whole collection: a delete of it is not what anybody meant.
  if (ref.name === '' || (resource.namespaced && !ref.namespace))
    throw new Error(
      `${resource.plural}: a name${resource.namespaced ? ' and a namespace are' : ' is'} needed`,
    );
  const path = `${collectionPath(resource, ref.namespace)}/${encodeURIComponent(ref.name)}`;
  return subresource === undefined ? path : `${path}/${subresource}`;
}

function namespaceOf(resource: Resource<KubeObject>, object: KubeObject): string | undefined {
  if (resource.namespaced && !object.metadata?.namespace)
    throw new Error(`${resource.plural}: a namespace is needed`);
  return object.metadata?.namespace;
}

function refOf(object: KubeObject): Ref {
  const { name = '', namespace } = object.metadata ?? {};
  return { name, ...(namespace !== undefined && { namespace }) };
}

function selectors(options: ListOptions): Record<string, string | undefined> {
  return { labelSelector: options.labelSelector, fieldSelector: options.fieldSelector };
}

/** Items of a list come without apiVersion and kind. */
function withType<T extends KubeObject>(resource: Resource<T>, object: T): T {
  return { ...object, apiVersion: resource.apiVersion, kind: resource.kind };
}

async function orUndefined<T>(promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise;
  } catch (error) {
    if (error instanceof KubeError && error.status === 404) return undefined;
    throw error;
  }
}
