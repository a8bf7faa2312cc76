import { fields, items } from '../object.ts';

/** The value at a simple JSONPath as printer columns use it: `.spec.size`, `.status.conditions[?(@.type=="Ready")].status`. */
export function readJsonPath(value: unknown, path: string): unknown {
  let at = value;
  for (const [, name, filter, wanted, index] of path.matchAll(
    /\.([\w-]+)|\[\?\(@\.(\w+)==["']([^"']*)["']\)\]|\[(\d+)\]/g,
  )) {
    if (name !== undefined) at = fields(at)[name];
    else if (filter !== undefined) at = items(at).find((each) => each[filter] === wanted);
    else if (Array.isArray(at)) at = at[Number(index)];
  }
  return at;
}
