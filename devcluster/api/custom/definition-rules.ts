import { type Cause, causes } from '../api-error.ts';
import type { Call } from '../call.ts';
import type { Cluster } from '../cluster.ts';
import {
  dig,
  ensure,
  type Fields,
  fields,
  isFields,
  items,
  type KubeObject,
  text,
  texts,
  timestamp,
} from '../object.ts';
import { type Resource, storageKey } from '../resource.ts';
import { type KindRules, specOf } from '../rules.ts';
import { compileSchema } from './schema.ts';

const VERBS = ['delete', 'deletecollection', 'get', 'list', 'patch', 'create', 'update', 'watch'];

/** CustomResourceDefinition: the resources that it names are served as soon as it is stored. */
export const DEFINITION_RULES: KindRules = {
  defaults: (definition) => {
    const spec = specOf(definition);
    const names = ensure(spec, 'names');
    const kind = text(names['kind']);
    if (text(names['singular']) === '') names['singular'] = kind.toLowerCase();
    if (text(names['listKind']) === '') names['listKind'] = `${kind}List`;
    spec['conversion'] ??= { strategy: 'None' };
  },
  prepareCreate: (call, definition) => {
    definition['status'] = established(call, definition);
  },
  prepareUpdate: (call, definition, old) => {
    const conditions = dig(old, 'status', 'conditions');
    definition['status'] = { ...established(call, definition), conditions };
  },
  validate: validateDefinition,
  created: (call, definition) => serve(call.cluster, definition),
  updated: (call, definition) => {
    withdraw(call.cluster, definition);
    serve(call.cluster, definition);
  },
  deleted: (call, definition) => {
    withdraw(call.cluster, definition);
    const table = tableOf(definition);
    for (const object of call.cluster.store.list(table))
      call.cluster.store.remove(table, storageKey(object.metadata.namespace, object.metadata.name));
  },
};

function tableOf(definition: KubeObject): string {
  return definition.metadata.name;
}

function established(call: Call, definition: KubeObject): Fields {
  const at = timestamp(call.cluster.now());
  const condition = (type: string, reason: string, message: string): Fields => ({
    type,
    status: 'True',
    lastTransitionTime: at,
    reason,
    message,
  });
  const spec = specOf(definition);
  return {
    conditions: [
      condition('NamesAccepted', 'NoConflicts', 'no conflicts found'),
      condition('Established', 'InitialNamesAccepted', 'the initial names have been accepted'),
    ],
    acceptedNames: spec['names'],
    storedVersions: items(spec['versions'])
      .filter((version) => version['storage'] === true)
      .map((version) => version['name']),
  };
}

function validateDefinition(definition: KubeObject): Cause[] {
  const spec = specOf(definition);
  const expected = `${text(dig(spec, 'names', 'plural'))}.${text(spec['group'])}`;
  const found: Cause[] = [];
  if (definition.metadata.name !== expected)
    found.push(
      causes.invalid('metadata.name', definition.metadata.name, 'must be spec.names.plural+"."+spec.group'),
    );
  if (spec['scope'] !== 'Namespaced' && spec['scope'] !== 'Cluster')
    found.push(causes.notSupported('spec.scope', spec['scope'], ['Cluster', 'Namespaced']));
  const versions = items(spec['versions']);
  if (versions.filter((version) => version['storage'] === true).length !== 1)
    found.push(
      causes.invalid('spec.versions', versions, 'must have exactly one version marked as storage version'),
    );
  for (const [index, version] of versions.entries()) {
    const schema = dig(version, 'schema', 'openAPIV3Schema');
    const at = `spec.versions[${index}].schema.openAPIV3Schema`;
    if (!isFields(schema)) found.push(causes.required(at, 'schemas are required'));
    else if (schema['type'] !== 'object')
      found.push(causes.invalid(`${at}.type`, schema['type'], 'must be object at the root'));
  }
  return found;
}

function serve(cluster: Cluster, definition: KubeObject): void {
  const spec = specOf(definition);
  const names = fields(spec['names']);
  for (const version of items(spec['versions'])) {
    const name = text(version['name']);
    const table = tableOf(definition);
    const schema = dig(version, 'schema', 'openAPIV3Schema');
    cluster.customSchemas.set(`${table}/${name}`, compileSchema(fields(schema)));
    if (version['served'] !== true) continue;
    const status = isFields(dig(version, 'subresources', 'status'));
    const resource: Resource = {
      group: text(spec['group']),
      version: name,
      plural: text(names['plural']),
      singular: text(names['singular']),
      kind: text(names['kind']),
      namespaced: spec['scope'] === 'Namespaced',
      shortNames: texts(names['shortNames']),
      categories: texts(names['categories']),
      verbs: VERBS,
      subresources: status ? { status: { kind: '', verbs: ['get', 'patch', 'update'] } } : {},
      table,
      unconditionalUpdate: false,
      custom: true,
      generation: true,
      columns: items(version['additionalPrinterColumns']),
    };
    cluster.resources.add(resource);
  }
}

function withdraw(cluster: Cluster, definition: KubeObject): void {
  const spec = specOf(definition);
  cluster.resources.remove(text(spec['group']), text(dig(spec, 'names', 'plural')));
}
