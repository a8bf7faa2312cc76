import type { Call } from '../call.ts';
import { rulesOf } from '../kinds/rules-table.ts';
import type { KubeObject } from '../object.ts';

/** Mutating admission: built-in first, then webhooks. `redefault` runs after each change. Returns the object to go on with. */
export async function admitMutating(
  call: Call,
  object: KubeObject,
  old: KubeObject | undefined,
  redefault: (changed: KubeObject) => KubeObject,
): Promise<KubeObject> {
  rulesOf(call.resource).admit?.(call, object, old);
  return redefault(object);
}

/** Validating admission: webhooks that see the object as it would be stored. */
export async function admitValidating(
  _call: Call,
  _object: KubeObject | undefined,
  _old: KubeObject | undefined,
): Promise<void> {}
