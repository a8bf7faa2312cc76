/**
 * Writes devcluster/api/schema/types-table.ts: the fields of the kinds that the development cluster serves, read from the
 * Go structures of k8s.io/api (their JSON tags say what is left out when empty, their patch tags how lists merge).
 *
 *   node tools/kubernetes-types.ts $(go env GOMODCACHE)/k8s.io v0.36.3
 */
import { readFileSync, writeFileSync } from 'node:fs';

const [modules = '', version = ''] = process.argv.slice(2);
const SOURCES = [
  `apimachinery@${version}/pkg/apis/meta/v1/types.go`,
  ...['core', 'coordination', 'certificates', 'authentication', 'authorization', 'rbac', 'networking'].map(
    (group) => `api@${version}/${group}/v1/types.go`,
  ),
  `api@${version}/admissionregistration/v1/types.go`,
  `apiextensions-apiserver@${version}/pkg/apis/apiextensions/v1/types.go`,
];
const ROOTS = (
  'Namespace Node Pod Binding Secret ConfigMap ServiceAccount Service Event Lease CertificateSigningRequest TokenReview ' +
  'TokenRequest SelfSubjectReview SubjectAccessReview SelfSubjectAccessReview Role RoleBinding ClusterRole ClusterRoleBinding ' +
  'MutatingWebhookConfiguration ValidatingWebhookConfiguration ValidatingAdmissionPolicy ValidatingAdmissionPolicyBinding ' +
  'CustomResourceDefinition NetworkPolicy DeleteOptions'
).split(' ');
/** Types with a form of their own. */
const KNOWN: Record<string, string> = {
  string: 's',
  bool: 'b',
  int: 'i',
  int32: 'i',
  int64: 'i',
  float64: 'n',
  byte: 'i',
  Quantity: 'q',
  Time: 't',
  MicroTime: 'm',
  IntOrString: 'x',
  RawExtension: '*',
  JSONSchemaProps: '*',
  JSON: '*',
  FieldsV1: '*',
  Duration: 's',
  UID: 's',
};

interface Field {
  readonly name: string;
  readonly go: string;
  /** `?` omitempty, `??` omitzero: Go leaves out an empty structure by the latter only. */
  readonly empty: string;
  readonly merge: string;
  /** Field numbers of the protobuf form; more than one where Go embeds a structure. '' where there is none. */
  readonly numbers: string;
}
const structs = new Map<string, { fields: Field[]; inline: { type: string; number: string }[] }>();
const aliases = new Map<string, string>();
for (const source of SOURCES) {
  const lines = readFileSync(`${modules}/${source}`, 'utf8').split('\n');
  let open: { fields: Field[]; inline: { type: string; number: string }[] } | undefined;
  for (const line of lines) {
    const begin = /^type (\w+) struct *\{(\})?/.exec(line);
    if (begin?.[1] !== undefined) {
      open = { fields: [], inline: [] };
      if (!structs.has(begin[1])) structs.set(begin[1], open);
      if (begin[2] !== undefined) open = undefined;
      continue;
    }
    const alias = /^type (\w+) ([\w.[\]*]+)$/.exec(line);
    if (alias?.[1] !== undefined && alias[2] !== undefined) aliases.set(alias[1], alias[2]);
    if (line.startsWith('}')) open = undefined;
    const member = /^\t(?:(\w+) +)?([\w.[\]*]+) +`(.*)`/.exec(line);
    const tag = /json:"([^",]*)((?:,\w+)*)"/.exec(member?.[3] ?? '');
    if (open === undefined || member?.[2] === undefined || tag === null) continue;
    const number = /protobuf:"[a-z0-9]+,(\d+),/.exec(member[3] ?? '')?.[1] ?? '';
    if (tag[2]?.includes('inline')) open.inline.push({ type: plain(member[2]), number });
    else if (tag[1] !== undefined && tag[1] !== '-') {
      const strategy = /patchStrategy:"([^"]*)"/.exec(member[3] ?? '')?.[1] ?? '';
      const key = /patchMergeKey:"([^"]*)"/.exec(member[3] ?? '')?.[1] ?? '';
      open.fields.push({
        name: tag[1],
        go: member[2],
        empty: tag[2]?.includes('omitzero') ? '??' : tag[2]?.includes('omitempty') ? '?' : '',
        numbers: number,
        merge: (strategy.includes('merge') ? `/${key}` : '') + (strategy.includes('retainKeys') ? '!' : ''),
      });
    }
  }
}

function plain(go: string): string {
  return go.replace(/^[*]/, '').replace(/^\w+\./, '');
}

const wanted = new Set<string>();
function code(go: string): string {
  if (go.startsWith('*')) return `^${code(go.slice(1))}`;
  if (go === '[]byte') return 'B';
  if (go.startsWith('[]')) return `[]${code(go.slice(2))}`;
  const map = /^map\[[\w.]+\](.*)$/.exec(go);
  if (map?.[1] !== undefined) return `{}${code(map[1])}`;
  const name = plain(go);
  const known = KNOWN[name];
  if (known !== undefined) return known;
  const alias = aliases.get(name);
  if (alias !== undefined) return code(alias);
  if (!structs.has(name)) throw new Error(`unknown type ${go}`);
  wanted.add(name);
  return name;
}
function fieldsOf(name: string): Field[] {
  const struct = structs.get(name);
  if (struct === undefined) return [];
  const embedded = struct.inline.flatMap(({ type, number }) =>
    fieldsOf(type).map((field) => ({
      ...field,
      numbers: number === '' || field.numbers === '' ? '' : `${number}.${field.numbers}`,
    })),
  );
  return [...embedded, ...struct.fields];
}

const rows: string[] = [];
for (const root of ROOTS) wanted.add(root);
for (const name of wanted) {
  const fields = fieldsOf(name).map(
    (f) => `${f.name}${f.empty}:${code(f.go)}${f.merge}${f.numbers === '' ? '' : `#${f.numbers}`}`,
  );
  rows.push(`${name} ${fields.join(' ')}`.trim());
}
writeFileSync(
  'devcluster/api/schema/types-table.ts',
  `/**
 * Generated by tools/kubernetes-types.ts from k8s.io/api ${version}. A line a type: its name, then \`field:type\`.
 * \`?\` left out when empty (\`??\`: an empty structure too); \`^\` pointer, \`[]\` list, \`{}\` map; s string, i integer, n number, b boolean, q quantity, t time,
 * m time with microseconds, x integer or string, B base64 bytes, * anything; \`/key\` a list that strategic merge patches by
 * that key (no key: a set of values), \`!\` $retainKeys;
 * \`#\` its field number in protobuf, after those of the messages that Go embeds.
 */
export const TYPES_TABLE = \`
${rows.sort().join('\n')}
\`;
`,
);
console.log(`${rows.length} types`);
