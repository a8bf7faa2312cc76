import { type Cause, causes } from '../api-error.ts';
import type { Call } from '../call.ts';
import type { KubeObject } from '../object.ts';

const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const QUALIFIED_NAME = /^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/;
const LABEL_VALUE = /^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$/;

const SUBDOMAIN_MESSAGE =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL_MESSAGE =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const LABEL_VALUE_MESSAGE =
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const KEY_MESSAGE =
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";

/** Kinds whose names are DNS labels; RBAC names may hold anything that a path segment can. */
const LABEL_NAMED = ['namespaces', 'services'];
const PATH_NAMED = ['rbac.authorization.k8s.io'];

/** metadata.name, labels and annotations (apimachinery `ValidateObjectMeta`, the parts that people get wrong). */
export function validateMetadata(call: Call, object: KubeObject): Cause[] {
  const { name, labels, annotations } = object.metadata;
  const found: Cause[] = [];
  if (name === '' || name === undefined)
    found.push(causes.required('metadata.name', 'name or generateName is required'));
  else if (PATH_NAMED.includes(call.resource.group)) {
    if (/[/%]/.test(name) || name === '.' || name === '..')
      found.push(causes.invalid('metadata.name', name, "may not contain '/' or '%'"));
  } else if (LABEL_NAMED.includes(call.resource.plural)) {
    if (!LABEL.test(name) || name.length > 63)
      found.push(causes.invalid('metadata.name', name, LABEL_MESSAGE));
  } else if (!SUBDOMAIN.test(name) || name.length > 253)
    found.push(causes.invalid('metadata.name', name, SUBDOMAIN_MESSAGE));
  for (const [key, value] of Object.entries(labels ?? {})) {
    found.push(...validateKey('metadata.labels', key));
    if (typeof value !== 'string' || value.length > 63 || !LABEL_VALUE.test(value))
      found.push(causes.invalid('metadata.labels', value, LABEL_VALUE_MESSAGE));
  }
  for (const key of Object.keys(annotations ?? {}))
    found.push(...validateKey('metadata.annotations', key.toLowerCase()));
  return found;
}

function validateKey(field: string, key: string): Cause[] {
  const [first = '', second, ...more] = key.split('/');
  const name = second ?? first;
  const good =
    more.length === 0 &&
    QUALIFIED_NAME.test(name) &&
    name.length <= 63 &&
    (second === undefined || SUBDOMAIN.test(first));
  return good ? [] : [causes.invalid(field, key, KEY_MESSAGE)];
}
