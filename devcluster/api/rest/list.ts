import { randomUUID } from 'node:crypto';
import { badRequest, expired, notFound } from '../api-error.ts';
import type { Call } from '../call.ts';
import type { Fields, KubeObject } from '../object.ts';
import { apiVersionOf, storageKey } from '../resource.ts';
import { parseSelectors } from '../selectors.ts';

/** What a continue token stands for: the rest of one consistent list. Bounded; the oldest expires first. */
const PAGES_KEPT = 64;
interface Page {
  readonly rest: readonly KubeObject[];
  readonly revision: string;
  readonly compactions: number;
}
const pages = new WeakMap<object, Map<string, Page>>();

export function get(call: Call): KubeObject {
  const { cluster, resource, request } = call;
  const namespace = resource.namespaced ? request.namespace : undefined;
  const held = cluster.store.get(resource.table, storageKey(namespace, request.name));
  if (held === undefined) throw notFound(resource, request.name);
  return held;
}

export interface ListPage {
  readonly objects: readonly KubeObject[];
  readonly metadata: Fields;
}

/** GET of a collection, by label and field selector, in pages of `limit`. */
export function list(call: Call): ListPage {
  const { cluster, resource, request, query } = call;
  const limit = Number(query.get('limit') ?? '0');
  if (!Number.isInteger(limit) || limit < 0)
    throw badRequest(`limit: Invalid value: "${query.get('limit')}"`);
  const token = query.get('continue') ?? '';
  const held = pages.get(cluster.store) ?? new Map<string, Page>();
  pages.set(cluster.store, held);
  let page: Page;
  if (token === '') {
    requireRevision(call);
    const matches = parseSelectors(resource.kind, query);
    page = {
      rest: cluster.store.list(resource.table, request.namespace).filter(matches),
      revision: String(cluster.store.revision),
      compactions: cluster.store.compactions,
    };
  } else {
    const kept = held.get(token);
    if (kept === undefined || kept.compactions !== cluster.store.compactions)
      throw expired(
        'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter.',
      );
    page = kept;
  }
  const objects = limit === 0 ? page.rest : page.rest.slice(0, limit);
  const rest = page.rest.slice(objects.length);
  const metadata: Fields = { resourceVersion: page.revision };
  if (rest.length > 0) {
    const next = randomUUID();
    held.set(next, { ...page, rest });
    for (const oldest of held.keys()) if (held.size > PAGES_KEPT) held.delete(oldest);
    metadata['continue'] = next;
    if (!query.get('labelSelector') && !query.get('fieldSelector'))
      metadata['remainingItemCount'] = rest.length;
  }
  return { objects, metadata };
}

/** An exact revision can be answered only while it is the present one; a future one never. */
function requireRevision(call: Call): void {
  const { cluster, query } = call;
  const asked = query.get('resourceVersion') ?? '';
  if (asked === '' || asked === '0') return;
  if (!/^\d+$/.test(asked))
    throw badRequest(
      `resourceVersion: Invalid value: "${asked}": strconv.ParseUint: parsing "${asked}": invalid syntax`,
    );
  if (query.get('resourceVersionMatch') === 'Exact' && Number(asked) !== cluster.store.revision)
    throw expired(`The resourceVersion for the provided list is too old.`);
}

/** A list object as it is sent. Built-in kinds leave out the kind of each item, custom ones keep it. */
export function toList(call: Call, page: ListPage): Fields {
  const { resource } = call;
  return {
    kind: `${resource.kind}List`,
    apiVersion: apiVersionOf(resource),
    metadata: page.metadata,
    items: resource.custom
      ? page.objects
      : page.objects.map(({ kind: _kind, apiVersion: _apiVersion, ...rest }) => rest),
  };
}
