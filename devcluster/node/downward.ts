import type { Container, FieldRef, Pod, ResourceFieldRef } from './pod.ts';
import { parseQuantity } from './quantity.ts';

/** What the downward API may be asked besides the pod object itself. */
export interface DownwardContext {
  readonly pod: Pod;
  readonly node: string;
  readonly podIP: string;
  readonly hostIP: string;
  /** The node's allocatable resources: the limit of a container that has none. */
  readonly allocatable: Readonly<Record<string, string>>;
}

/** The value of a field reference; undefined for a path that the downward API does not serve. */
export function fieldValue(context: DownwardContext, ref: FieldRef): string | undefined {
  const { metadata, spec } = context.pod;
  const subscript = /^metadata\.(labels|annotations)\['([^']+)'\]$/.exec(ref.fieldPath);
  if (subscript?.[1] !== undefined && subscript[2] !== undefined)
    return metadata[subscript[1] === 'labels' ? 'labels' : 'annotations']?.[subscript[2]] ?? '';
  switch (ref.fieldPath) {
    case 'metadata.name':
      return metadata.name ?? '';
    case 'metadata.namespace':
      return metadata.namespace ?? '';
    case 'metadata.uid':
      return metadata.uid ?? '';
    case 'metadata.labels':
      return formatMap(metadata.labels);
    case 'metadata.annotations':
      return formatMap(metadata.annotations);
    case 'spec.nodeName':
      return spec.nodeName ?? context.node;
    case 'spec.serviceAccountName':
      return spec.serviceAccountName ?? 'default';
    case 'status.podIP':
    case 'status.podIPs':
      return context.podIP;
    case 'status.hostIP':
    case 'status.hostIPs':
      return context.hostIP;
    default:
      return undefined;
  }
}

/** The value of a resource reference, rounded up to whole divisors; undefined when container or resource is unknown. */
export function resourceValue(
  context: DownwardContext,
  ref: ResourceFieldRef,
  own?: Container,
): string | undefined {
  const container =
    ref.containerName === undefined
      ? own
      : [...(context.pod.spec.initContainers ?? []), ...context.pod.spec.containers].find(
          (each) => each.name === ref.containerName,
        );
  const [kind, resource] = ref.resource.split('.', 2);
  if (container === undefined || (kind !== 'limits' && kind !== 'requests') || resource === undefined)
    return undefined;
  const text =
    container.resources?.[kind]?.[resource] ??
    (kind === 'limits' ? context.allocatable[resource] : container.resources?.limits?.[resource]) ??
    '0';
  const value = parseQuantity(text);
  const divisor = parseQuantity(ref.divisor === undefined || ref.divisor === '0' ? '1' : ref.divisor);
  if (value === undefined || divisor === undefined || divisor <= 0) return undefined;
  return String(Math.ceil(value / divisor));
}

/** Labels and annotations in a downward file: `key="escaped value"`, sorted, one a line. */
function formatMap(map: Readonly<Record<string, string>> | undefined): string {
  return Object.entries(map ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
    .join('\n');
}
