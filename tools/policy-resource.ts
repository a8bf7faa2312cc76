/** `spec.reference` of the AttestationPolicy resource, from the one schema that policies have (verify/policy/schema.json). */
import { stringify } from 'yaml';

type Schema = Readonly<Record<string, unknown>>;

const BEGIN = '# Generated from verify/policy/schema.json by `make generate`. DO NOT EDIT.';
const END = '# End of what is generated.';

/** What both JSON Schema 2020-12 and a structural schema mean alike (apiextensions.k8s.io/v1 JSONSchemaProps). */
const KEPT = new Set([
  ...['type', 'description', 'enum', 'pattern', 'required', 'x-kubernetes-validations'],
  ...['minimum', 'maximum', 'maxLength', 'minItems', 'maxItems', 'minProperties', 'maxProperties'],
]);
/**
 * Left out: names of the document; `default`, which the API server would write into what is stored; and `propertyNames`, which it does not know
 * (a validation rule stands beside it).
 */
const LEFT_OUT = new Set(['$schema', '$id', '$defs', 'title', 'default', 'propertyNames']);

/**
 * The structural schema of a policy. Unknown members cannot be refused by one: the API server drops them, or refuses them when asked to
 * validate strictly, as kubectl does. Throws on a keyword that it does not know, rather than lose it.
 */
function structuralSchema(schema: Schema): Schema {
  return convert(schema, definitionsOf(schema), false);
}

/** @param junctor below oneOf, anyOf or not, where a structural schema has values' conditions only */
function convert(schema: Schema, definitions: Schema, junctor: boolean): Schema {
  const { $ref, ...own } = schema;
  const named = typeof $ref === 'string' ? definitions[$ref.replace('#/$defs/', '')] : {};
  if (!isSchema(named)) throw new Error(`${String($ref)} is not defined`);
  const made: Record<string, unknown> = {};
  for (const [keyword, value] of Object.entries({ ...own, ...named })) {
    const below = (each: unknown, inside = junctor): Schema => convert(asSchema(each), definitions, inside);
    if (KEPT.has(keyword)) made[keyword] = value;
    else if (keyword === 'items') made[keyword] = below(value);
    else if (keyword === 'not') made[keyword] = below(value, true);
    else if ((keyword === 'oneOf' || keyword === 'anyOf') && Array.isArray(value))
      made[keyword] = value.map((each) => below(each, true));
    else if (keyword === 'properties')
      made[keyword] = Object.fromEntries(
        Object.entries(asSchema(value))
          .map(([name, each]) => [name, below(each)] as const)
          // Nothing of it may be said here.
          .filter(([, each]) => !junctor || says(each)),
      );
    else if (keyword === 'additionalProperties') {
      // Below a junctor no structural schema may have it: a validation rule says it once more.
      if (value !== false && !junctor) made[keyword] = below(value);
    } else if (!LEFT_OUT.has(keyword)) throw new Error(`no structural schema says ${keyword}`);
  }
  return made;
}

function says(schema: Schema): boolean {
  return Object.values(schema).some((each) => !isSchema(each) || says(each));
}

function isSchema(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function asSchema(value: unknown): Schema {
  if (!isSchema(value)) throw new Error('a schema is expected');
  return value;
}

function definitionsOf(schema: Schema): Schema {
  return asSchema(schema['$defs'] ?? {});
}

/** The text of crds.yaml with what stands between the two marks made anew. */
export function withPolicyReference(resources: string, schema: Schema): string {
  const lines = resources.split('\n');
  const [begin, end] = [BEGIN, END].map((mark) => lines.findIndex((line) => line.trim() === mark));
  if (begin === undefined || end === undefined || begin < 0 || end < begin)
    throw new Error(`the marks are missing: ${BEGIN} ... ${END}`);
  const indent = ' '.repeat((lines[begin] ?? '').indexOf('#'));
  const made = stringify(structuralSchema(schema), { lineWidth: 0, aliasDuplicateObjects: false })
    .trimEnd()
    .split('\n')
    .map((line) => `${indent}${line}`);
  return lines.toSpliced(begin + 1, end - begin - 1, ...made).join('\n');
}
