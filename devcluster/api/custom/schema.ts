import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import addFormats from 'ajv-formats';
import { type Cause, causes } from '../api-error.ts';
import { type Fields, fields, isFields } from '../object.ts';

/** A structural schema of one version of a CustomResourceDefinition, ready to validate. */
export interface CustomSchema {
  /** `openAPIV3Schema` as written. */
  readonly source: Fields;
  validate(object: unknown): Cause[];
}

// OpenAPI has words that JSON Schema does not know (nullable, x-kubernetes-*): not an error.
const ajv = new Ajv({ strict: false, allErrors: true, coerceTypes: false });
addFormats.default(ajv);

export function compileSchema(source: Fields): CustomSchema {
  const check: ValidateFunction = ajv.compile(toJsonSchema(source));
  return {
    source,
    validate: (object) => (check(object) ? [] : toCauses(object, check.errors ?? [])),
  };
}

/** OpenAPI v3 (structural) as JSON Schema: `nullable`, int-or-string and boolean exclusive bounds are said in its words. */
function toJsonSchema(schema: Fields): Fields {
  const made: Fields = {};
  for (const [name, value] of Object.entries(schema)) {
    if (name.startsWith('x-kubernetes-') || name === 'default' || name === 'nullable') continue;
    if (name === 'properties')
      made[name] = Object.fromEntries(
        Object.entries(fields(value)).map(([key, each]) => [key, toJsonSchema(fields(each))]),
      );
    else if (isFields(value)) made[name] = toJsonSchema(value);
    else if (['allOf', 'anyOf', 'oneOf'].includes(name) && Array.isArray(value))
      made[name] = value.map((each) => toJsonSchema(fields(each)));
    else made[name] = value;
  }
  for (const [bound, exclusive] of [
    ['minimum', 'exclusiveMinimum'],
    ['maximum', 'exclusiveMaximum'],
  ] as const) {
    if (made[exclusive] === true) {
      made[exclusive] = made[bound];
      delete made[bound];
    } else if (made[exclusive] === false) delete made[exclusive];
  }
  if (schema['x-kubernetes-int-or-string'] === true) {
    delete made['type'];
    made['anyOf'] = [{ type: 'integer' }, { type: 'string' }];
  }
  if (schema['nullable'] === true && typeof made['type'] === 'string') made['type'] = [made['type'], 'null'];
  return made;
}

/** Errors in the words of kube-openapi's validator, one a field. */
function toCauses(object: unknown, errors: readonly ErrorObject[]): Cause[] {
  const seen = new Set<string>();
  return errors.flatMap((error) => {
    const path = error.instancePath
      .split('/')
      .slice(1)
      .map((part) =>
        /^\d+$/.test(part) ? `[${part}]` : `.${part.replaceAll('~1', '/').replaceAll('~0', '~')}`,
      )
      .join('')
      .replace(/^\./, '');
    if (seen.has(`${path} ${error.keyword}`) && error.keyword !== 'required') return [];
    seen.add(`${path} ${error.keyword}`);
    const value = error.instancePath
      .split('/')
      .slice(1)
      .reduce<unknown>((at, part) => (Array.isArray(at) ? at[Number(part)] : fields(at)[part]), object);
    return [toCause(path, value, error)];
  });
}

function toCause(path: string, value: unknown, error: ErrorObject): Cause {
  const { keyword, params } = error;
  switch (keyword) {
    case 'required':
      return causes.required(
        path === '' ? params['missingProperty'] : `${path}.${params['missingProperty']}`,
      );
    case 'enum':
      return causes.notSupported(path, value, params['allowedValues']);
    case 'type': {
      const is =
        value === null
          ? 'null'
          : Array.isArray(value)
            ? 'array'
            : typeof value === 'number'
              ? Number.isInteger(value)
                ? 'integer'
                : 'number'
              : typeof value;
      const cause = causes.invalid(
        path,
        is,
        `${path} in body must be of type ${[params['type']].flat()[0]}: "${is}"`,
      );
      return { ...cause, reason: 'FieldValueTypeInvalid' };
    }
    case 'minimum':
      return causes.invalid(
        path,
        value,
        `${path} in body should be greater than or equal to ${params['limit']}`,
      );
    case 'maximum':
      return causes.invalid(
        path,
        value,
        `${path} in body should be less than or equal to ${params['limit']}`,
      );
    case 'pattern':
      return causes.invalid(path, value, `${path} in body should match '${params['pattern']}'`);
    case 'minLength':
      return causes.invalid(path, value, `${path} in body should be at least ${params['limit']} chars long`);
    case 'maxLength':
      return {
        ...causes.invalid(path, value, ''),
        reason: 'FieldValueTooLong',
        message: `Too long: may not be more than ${params['limit']} bytes`,
      };
    default:
      return causes.invalid(path, value, `${path} in body ${error.message}`);
  }
}
