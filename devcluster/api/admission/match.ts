import type { Call } from '../call.ts';
import { dig, type Fields, items, type KubeObject, text, texts } from '../object.ts';
import { storageKey } from '../resource.ts';
import { matchesLabelSelector } from '../selectors.ts';

const GROUP = 'admissionregistration.k8s.io';

export interface MatchedWebhook {
  /** Configuration and place in it. */
  readonly id: string;
  readonly name: string;
  readonly settings: Fields;
  /** reinvocationPolicy IfNeeded. */
  readonly reinvoke: boolean;
}

const OPERATIONS: Readonly<Record<string, string>> = {
  create: 'CREATE',
  update: 'UPDATE',
  patch: 'UPDATE',
  delete: 'DELETE',
  deletecollection: 'DELETE',
};

export function operationOf(call: Call): string {
  return OPERATIONS[call.request.verb] ?? 'CONNECT';
}

/** Webhooks for a request, in the order of their configurations' names and their place in them. */
export function matchingWebhooks(
  call: Call,
  plural: string,
  object: KubeObject | undefined,
  old: KubeObject | undefined,
): MatchedWebhook[] {
  // Nothing stands between an operator and the configuration of admission itself.
  if (call.resource.group === GROUP) return [];
  return call.cluster.store.list(`${plural}.${GROUP}`).flatMap((configuration) =>
    items(configuration['webhooks']).flatMap((settings, index) => {
      const matched =
        items(settings['rules']).some((rule) => matchesRule(call, rule)) &&
        matchesNamespace(call, settings['namespaceSelector'], object ?? old) &&
        [object, old].some(
          (each) =>
            each !== undefined &&
            matchesLabelSelector(settings['objectSelector'], each.metadata.labels ?? {}),
        );
      if (!matched) return [];
      const reinvoke = settings['reinvocationPolicy'] === 'IfNeeded';
      const id = `${configuration.metadata.name}/${index}`;
      return [{ id, name: text(settings['name']), settings, reinvoke }];
    }),
  );
}

function matchesRule(call: Call, rule: Fields): boolean {
  const { resource, request } = call;
  const has = (list: unknown, value: string): boolean =>
    texts(list).some((each) => each === '*' || each === value);
  const scope = text(rule['scope']) || '*';
  // A Namespace is cluster-scoped, whatever namespace its request is in.
  if (scope !== '*' && scope !== (resource.namespaced ? 'Namespaced' : 'Cluster')) return false;
  return (
    has(rule['operations'], operationOf(call)) &&
    has(rule['apiGroups'], resource.group) &&
    has(rule['apiVersions'], resource.version) &&
    texts(rule['resources']).some((each) => {
      const [plural, subresource = ''] = each.split('/');
      const right = plural === '*' || plural === resource.plural;
      return (
        right &&
        (subresource === request.subresource || (subresource === '*' && each.includes('/')) || each === '*/*')
      );
    })
  );
}

function matchesNamespace(call: Call, selector: unknown, object: KubeObject | undefined): boolean {
  const { cluster, resource, request } = call;
  if (resource.table === 'namespaces') return matchesLabelSelector(selector, object?.metadata.labels ?? {});
  if (!resource.namespaced || request.namespace === undefined) return true;
  const namespace = cluster.store.get('namespaces', storageKey(undefined, request.namespace));
  return matchesLabelSelector(
    selector,
    (dig(namespace, 'metadata', 'labels') ?? {}) as Record<string, string>,
  );
}
