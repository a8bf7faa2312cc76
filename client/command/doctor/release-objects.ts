import { readdirSync, readFileSync } from 'node:fs';
import { parseAllDocuments } from 'yaml';
import { DEFAULT_RELEASE_NAMESPACE } from '../../../names/components.ts';
import type { KubeObject } from '../../../platform/kube/wire.ts';

/** What a release of this version consists of, as its chart has it. */
export type ReleaseObjects = readonly KubeObject[];

const ACCOUNT = `system:serviceaccount:${DEFAULT_RELEASE_NAMESPACE}:`;
/** Lists of namespaces in selectors, and in expressions. */
const QUOTED = `'${DEFAULT_RELEASE_NAMESPACE}'`;

/**
 * The chart's plain objects (charts/licensing/files), for a release in this namespace. In the sources the folder `release` is a link to them, in what is shipped a
 * copy beside the program.
 */
export function releaseObjects(namespace: string): ReleaseObjects {
  const folder = new URL('./release/', import.meta.url);
  return readdirSync(folder)
    .filter((name) => name.endsWith('.yaml'))
    .sort()
    .flatMap((name) => parseAllDocuments(readFileSync(new URL(name, folder), 'utf8')))
    .map((document): unknown => inNamespace(document.toJS(), namespace))
    .filter(isObject);
}

/** Objects of one kind. The chart's own, so their type is what the kind says. */
export function ofKind<T extends KubeObject>(objects: ReleaseObjects, kind: string): readonly T[] {
  return objects.filter((each): each is T => each.kind === kind);
}

function isObject(value: unknown): value is KubeObject {
  return typeof value === 'object' && value !== null && 'kind' in value && 'metadata' in value;
}

function inNamespace(value: unknown, namespace: string, key = ''): unknown {
  if (typeof value === 'string') {
    if (value === DEFAULT_RELEASE_NAMESPACE && (key === 'namespace' || key === 'values')) return namespace;
    return value
      .replaceAll(ACCOUNT, `system:serviceaccount:${namespace}:`)
      .replaceAll(QUOTED, `'${namespace}'`);
  }
  if (Array.isArray(value)) return value.map((each) => inNamespace(each, namespace, key));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, each]) => [name, inNamespace(each, namespace, name)]),
  );
}
