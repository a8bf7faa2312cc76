import type { Call } from '../call.ts';
import { type Fields, isFields, type KubeObject } from '../object.ts';
import { columnsOf } from './columns.ts';

/** Does the client take a metav1.Table? */
export function wantsTable(accept: string): boolean {
  return accept.split(',').some((each) => /;as=Table\b/.test(each) && each.includes('v=v1;'));
}

/** metav1.Table of objects, as `kubectl get` prints it. */
function toTable(call: Call, objects: readonly KubeObject[], metadata: Fields): Fields {
  const columns = columnsOf(call.resource);
  const now = call.cluster.now();
  const include = call.query.get('includeObject') ?? 'Metadata';
  return {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata,
    columnDefinitions: columns.map(({ name, type, priority }) => ({
      name,
      type: type === 'date' ? 'string' : type,
      format: name === 'Name' ? 'name' : '',
      description: '',
      priority,
    })),
    rows: objects.map((object) => ({
      cells: columns.map((column) => column.cell(object, now)),
      ...(include === 'None' ? {} : { object: include === 'Object' ? object : partial(object) }),
    })),
  };
}

function partial(object: KubeObject): Fields {
  return { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: object.metadata };
}

/** An answer's object or list as a Table, where it has objects. */
export function asTable(call: Call, result: Fields): Fields {
  if (Array.isArray(result['items']))
    return toTable(
      call,
      result['items'] as KubeObject[],
      isFields(result['metadata']) ? result['metadata'] : {},
    );
  if (result['kind'] !== call.resource.kind) return result;
  const object = result as KubeObject;
  return toTable(call, [object], { resourceVersion: object.metadata.resourceVersion });
}
