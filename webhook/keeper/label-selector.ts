import type { NetworkPolicy } from '../../platform/kube/resources.ts';

export type LabelSelector = NonNullable<NonNullable<NetworkPolicy['spec']>['podSelector']>;

/** Whether a selector (meta/v1 LabelSelector; empty selects all) takes these labels. An operator that is not known here takes them. */
export function selects(selector: LabelSelector, labels: Readonly<Record<string, string>>): boolean {
  const value = (key: string): string | undefined => (Object.hasOwn(labels, key) ? labels[key] : undefined);
  if (Object.entries(selector.matchLabels ?? {}).some(([key, wanted]) => value(key) !== wanted)) return false;
  return (selector.matchExpressions ?? []).every(({ key, operator, values = [] }) => {
    const found = value(key);
    switch (operator) {
      case 'In':
        return found !== undefined && values.includes(found);
      case 'NotIn':
        return found === undefined || !values.includes(found);
      case 'Exists':
        return found !== undefined;
      case 'DoesNotExist':
        return found === undefined;
      default:
        return true;
    }
  });
}
