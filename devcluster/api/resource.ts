import type { Fields } from './object.ts';

/** One served resource: what discovery says of it and how its objects are stored. */
export interface Resource {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly singular: string;
  readonly kind: string;
  readonly namespaced: boolean;
  readonly shortNames: readonly string[];
  /** What `kubectl get all` and the like include. */
  readonly categories: readonly string[];
  readonly verbs: readonly string[];
  /** Subresource -> its kind and verbs in discovery. */
  readonly subresources: Readonly<Record<string, Subresource>>;
  /** Where objects are kept: the same for every version and group that shows them. */
  readonly table: string;
  /** PUT without a resourceVersion: overwrites, or (false) is refused as invalid. */
  readonly unconditionalUpdate: boolean;
  /** Defined by a CustomResourceDefinition. */
  readonly custom: boolean;
  /** metadata.generation counts changes of what is wanted (everything but metadata and status). */
  readonly generation: boolean;
  /** additionalPrinterColumns of a custom resource. */
  readonly columns: readonly Fields[];
}

export interface Subresource {
  readonly kind: string;
  readonly group?: string;
  readonly version?: string;
  readonly verbs: readonly string[];
}

/** `v1` or `group/version`. */
export function apiVersionOf(resource: Pick<Resource, 'group' | 'version'>): string {
  return resource.group === '' ? resource.version : `${resource.group}/${resource.version}`;
}

/** Key in a table: names hold no `/`, so it is unambiguous and sorts by namespace, then name. */
export function storageKey(namespace: string | undefined, name: string): string {
  return `${namespace ?? ''}/${name}`;
}
