import type { Cause } from './api-error.ts';
import type { Call } from './call.ts';
import type { Fields, KubeObject } from './object.ts';

/** What one kind does beyond storage. Every part is optional; objects passed in may be changed in place unless named `old`. */
export interface KindRules {
  /** Fields that the server fills in when it decodes an object; runs again after every admission step. */
  readonly defaults?: (object: KubeObject) => void;
  /** Built-in mutating admission, before webhooks. Throws ApiError to refuse. */
  readonly admit?: (call: Call, object: KubeObject, old: KubeObject | undefined) => void;
  readonly prepareCreate?: (call: Call, object: KubeObject) => void;
  readonly prepareUpdate?: (call: Call, object: KubeObject, old: KubeObject) => void;
  readonly validate?: (object: KubeObject) => Cause[];
  readonly validateUpdate?: (object: KubeObject, old: KubeObject) => Cause[];
  /** Built-in validating admission, after validation. */
  readonly review?: (call: Call, object: KubeObject, old: KubeObject | undefined) => void;
  readonly created?: (call: Call, object: KubeObject) => void;
  readonly deleted?: (call: Call, object: KubeObject) => void;
  /** Seconds of grace that a deletion without wishes of its own gets; undefined removes at once. */
  readonly gracePeriod?: (object: KubeObject) => number | undefined;
  /** How a subresource of the same kind changes the object: from the body and the held object, the new object. */
  readonly subresources?: Readonly<Record<string, (body: KubeObject, old: KubeObject) => KubeObject>>;
}

/** `status` as most kinds do it: status and labels from the body, the rest as it was. */
export function statusOnly(body: KubeObject, old: KubeObject): KubeObject {
  return { ...body, spec: old['spec'], metadata: body.metadata };
}

/** For a kind without rules. */
export const NO_RULES: KindRules = {};

export type RulesTable = Readonly<Record<string, KindRules>>;

export function specOf(object: Fields): Fields {
  const spec = object['spec'];
  return typeof spec === 'object' && spec !== null ? (spec as Fields) : {};
}
