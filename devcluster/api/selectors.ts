import { badRequest } from './api-error.ts';
import { dig, type Fields, items, type KubeObject, text, texts } from './object.ts';

export type Matcher = (object: KubeObject) => boolean;

const REQUIREMENT =
  /^\s*(?:(!)\s*([^\s=!,()]+)|([^\s=!,()]+)(?:\s*(==|=|!=)\s*([^\s,()]*)|\s+(in|notin)\s+\(([^)]*)\))?)\s*(?:,|$)/;

/** Label selector as a query writes it: `a=b,c!=d,e in (f,g),h notin (i),j,!k`. */
function parseLabelSelector(selector: string): Matcher {
  const tests: ((labels: Record<string, string>) => boolean)[] = [];
  let rest = selector;
  while (rest.trim() !== '') {
    const match = REQUIREMENT.exec(rest);
    if (match === null) throw badRequest(`unable to parse requirement: found '${rest}'`);
    rest = rest.slice(match[0].length);
    const [, not, absent = '', key = '', operator, value = '', set, list = ''] = match;
    const values = list.split(',').map((each) => each.trim());
    if (not !== undefined) tests.push((labels) => !(absent in labels));
    else if (operator === '!=') tests.push((labels) => labels[key] !== value);
    else if (operator !== undefined) tests.push((labels) => labels[key] === value);
    else if (set === 'in') tests.push((labels) => values.includes(labels[key] ?? '\0'));
    else if (set === 'notin') tests.push((labels) => !values.includes(labels[key] ?? '\0'));
    else tests.push((labels) => key in labels);
  }
  return (object) => tests.every((test) => test(object.metadata.labels ?? {}));
}

/** metav1.LabelSelector (`matchLabels`, `matchExpressions`); an empty or absent one matches everything. */
export function matchesLabelSelector(selector: unknown, labels: Record<string, string>): boolean {
  for (const [key, value] of Object.entries((dig(selector, 'matchLabels') ?? {}) as Fields))
    if (labels[key] !== value) return false;
  return items(dig(selector, 'matchExpressions')).every((expression) => {
    const held = labels[text(expression['key'])];
    const values = texts(expression['values']);
    if (expression['operator'] === 'In') return held !== undefined && values.includes(held);
    if (expression['operator'] === 'NotIn') return held === undefined || !values.includes(held);
    if (expression['operator'] === 'Exists') return held !== undefined;
    return expression['operator'] === 'DoesNotExist' && held === undefined;
  });
}

/** Fields that a selector may name, beyond metadata.name and metadata.namespace (as kube-apiserver lists them). */
const SELECTABLE: Readonly<Record<string, readonly string[]>> = {
  Pod: [
    'spec.nodeName',
    'spec.restartPolicy',
    'spec.schedulerName',
    'spec.serviceAccountName',
    'spec.hostNetwork',
    'status.phase',
    'status.podIP',
    'status.nominatedNodeName',
  ],
  Namespace: ['status.phase'],
  Node: ['spec.unschedulable'],
  Secret: ['type'],
  Service: ['spec.clusterIP', 'spec.type'],
  Event: [
    ...['involvedObject', 'regarding'].flatMap((object) =>
      ['kind', 'namespace', 'name', 'uid', 'apiVersion', 'resourceVersion', 'fieldPath'].map(
        (field) => `${object}.${field}`,
      ),
    ),
    'reason',
    'reportingComponent',
    'reportingController',
    'source',
    'type',
  ],
  CertificateSigningRequest: ['spec.signerName'],
};

/** Field selector: `metadata.name=a,spec.nodeName!=b`. */
function parseFieldSelector(kind: string, selector: string): Matcher {
  const tests = selector
    .split(',')
    .filter((each) => each !== '')
    .map((each) => {
      const match = /^([^=!]+)(==|=|!=)(.*)$/.exec(each);
      if (match === null) throw badRequest(`invalid selector: '${selector}'; can't understand '${each}'`);
      const [, path = '', operator, value = ''] = match;
      const known = path === 'metadata.name' || path === 'metadata.namespace';
      if (!known && !SELECTABLE[kind]?.includes(path)) throw badRequest(`field label not supported: ${path}`);
      const want = operator !== '!=';
      return (object: KubeObject) => {
        const held = dig(object, ...path.split('.'));
        const written = typeof held === 'boolean' ? String(held) : text(held);
        const absent = path === 'spec.hostNetwork' || path === 'spec.unschedulable' ? 'false' : '';
        return ((written === '' ? absent : written) === value) === want;
      };
    });
  return (object) => tests.every((test) => test(object));
}

/** Both selectors of a list or watch. */
export function parseSelectors(kind: string, query: URLSearchParams): Matcher {
  const labels = parseLabelSelector(query.get('labelSelector') ?? '');
  const fieldsOf = parseFieldSelector(kind, query.get('fieldSelector') ?? '');
  return (object) => labels(object) && fieldsOf(object);
}
