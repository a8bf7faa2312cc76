import { dig, type Fields, fields, items, type KubeObject, text } from '../object.ts';
import type { Resource } from '../resource.ts';
import { age } from './age.ts';
import { readJsonPath } from './json-path.ts';
import { podSummary } from './pod-status.ts';

export interface Column {
  readonly name: string;
  readonly type: string;
  /** Above 0 only with `-o wide`. */
  readonly priority: number;
  cell(object: KubeObject, now: number): unknown;
}

function column(name: string, cell: Column['cell'], priority = 0, type = 'string'): Column {
  return { name, type, priority, cell };
}

const NAME: Column = { ...column('Name', (object) => object.metadata.name) };
const AGE = column('Age', (object, now) => age(object.metadata.creationTimestamp, now));
const path =
  (...names: string[]): Column['cell'] =>
  (object) =>
    text(dig(object, ...names)) || '<none>';
const count = (...names: string[]): Column =>
  column(
    'Data',
    (object) => names.reduce((sum, name) => sum + Object.keys(fields(object[name])).length, 0),
    0,
    'integer',
  );

function conditionWords(object: KubeObject): string[] {
  return items(dig(object, 'status', 'conditions')).map((each) => text(each['type']));
}

/** What `kubectl get` shows of a kind, after its name. */
const COLUMNS: Readonly<Record<string, readonly Column[]>> = {
  Pod: [
    column('Ready', (pod) => podSummary(pod).ready),
    column('Status', (pod) => podSummary(pod).status),
    column('Restarts', (pod) => podSummary(pod).restarts),
    AGE,
    column('IP', path('status', 'podIP'), 1),
    column('Node', path('spec', 'nodeName'), 1),
  ],
  Node: [
    column('Status', (node) => {
      const ready = items(dig(node, 'status', 'conditions')).find((each) => each['type'] === 'Ready');
      return ready?.['status'] === 'True' ? 'Ready' : ready === undefined ? 'Unknown' : 'NotReady';
    }),
    AGE,
    column('Version', path('status', 'nodeInfo', 'kubeletVersion')),
  ],
  Namespace: [column('Status', path('status', 'phase')), AGE],
  Secret: [column('Type', path('type')), count('data'), AGE],
  ConfigMap: [count('data', 'binaryData'), AGE],
  Service: [
    column('Type', path('spec', 'type')),
    column('Cluster-IP', path('spec', 'clusterIP')),
    column('Port(s)', (service) =>
      items(dig(service, 'spec', 'ports'))
        .map((port) => `${port['port']}/${port['protocol']}`)
        .join(','),
    ),
    AGE,
  ],
  Lease: [column('Holder', path('spec', 'holderIdentity')), AGE],
  Event: [
    column('Last Seen', (event, now) => age(text(event['lastTimestamp']) || text(event['eventTime']), now)),
    column('Type', path('type')),
    column('Reason', path('reason')),
    column('Object', (event) => {
      const about = fields(event['involvedObject'] ?? event['regarding']);
      return `${text(about['kind']).toLowerCase()}/${text(about['name'])}`;
    }),
    column('Message', (event) => text(event['message'] ?? event['note']).trim()),
  ],
  CertificateSigningRequest: [
    AGE,
    column('SignerName', path('spec', 'signerName')),
    column('Requestor', path('spec', 'username')),
    column('Condition', (csr) => {
      const words = conditionWords(csr);
      const issued = dig(csr, 'status', 'certificate') === undefined ? [] : ['Issued'];
      return [...(words.length === 0 ? ['Pending'] : words), ...issued].join(',');
    }),
  ],
};

/** Columns of a resource: its kind's, those that its definition lists, or name and age. */
export function columnsOf(resource: Resource): readonly Column[] {
  if (resource.columns.length > 0) return [NAME, ...resource.columns.map(printerColumn)];
  return [NAME, ...(COLUMNS[resource.kind] ?? [AGE])];
}

/** One of a CustomResourceDefinition's additionalPrinterColumns. */
function printerColumn(written: Fields): Column {
  const type = text(written['type']);
  const at = text(written['jsonPath']);
  return {
    name: text(written['name']),
    type,
    priority: Number(written['priority'] ?? 0),
    cell: (object, now) => {
      const value = readJsonPath(object, at);
      return type === 'date' ? age(text(value), now) : (value ?? '');
    },
  };
}
