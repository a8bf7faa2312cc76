import { isDeepStrictEqual } from 'node:util';
import type { Cause } from '../api-error.ts';
import { type Fields, fields, isFields, items, text } from '../object.ts';

const RULE = 'self == oldSelf';

/**
 * The one validation rule that is known here without CEL: a value that was written does not change. Any other rule of
 * `x-kubernetes-validations` is left to a real API server.
 */
export function writeOnceBreaches(schema: Fields, is: unknown, was: unknown, path = ''): Cause[] {
  if (is === undefined || was === undefined) return [];
  const found: Cause[] = items(schema['x-kubernetes-validations'])
    .filter((rule) => text(rule['rule']) === RULE && !isDeepStrictEqual(is, was))
    .map((rule) => ({
      field: path,
      reason: 'FieldValueInvalid',
      message: `Invalid value: ${shown(is)}${text(rule['message']) || `failed rule: ${RULE}`}`,
    }));
  for (const [name, member] of Object.entries(fields(schema['properties'])))
    if (isFields(member))
      found.push(
        ...writeOnceBreaches(
          member,
          fields(is)[name],
          fields(was)[name],
          path === '' ? name : `${path}.${name}`,
        ),
      );
  return found;
}

/** A plain value is repeated in the refusal, an object or list is not. */
function shown(value: unknown): string {
  return typeof value === 'object' ? '' : `${JSON.stringify(value)}: `;
}
