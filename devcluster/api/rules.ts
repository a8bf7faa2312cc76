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
  readonly validate?: (object: KubeObject) => Cause[] | Promise<Cause[]>;
  readonly validateUpdate?: (object: KubeObject, old: KubeObject, subresource: string) => Cause[];
  /** Built-in validating admission, after validation. */
  readonly review?: (call: Call, object: KubeObject, old: KubeObject | undefined) => void;
  readonly created?: (call: Call, object: KubeObject) => void;
  readonly updated?: (call: Call, object: KubeObject) => void;
  readonly deleted?: (call: Call, object: KubeObject) => void;
  /** Seconds of grace that a deletion without wishes of its own gets; undefined removes at once. */
  readonly gracePeriod?: (object: KubeObject) => number | undefined;
  /** Deletion only marks the object, as this says; what it stands for has to go first. */
  readonly going?: (object: KubeObject) => KubeObject;
  /** How a subresource of the same kind changes the object: from the body and the held object, the new object. */
  readonly subresources?: Readonly<Record<string, (body: KubeObject, old: KubeObject) => KubeObject>>;
}

/** For a kind without rules. */
export const NO_RULES: KindRules = {};

export type RulesTable = Readonly<Record<string, KindRules>>;

export function specOf(object: Fields): Fields {
  const spec = object['spec'];
  return typeof spec === 'object' && spec !== null ? (spec as Fields) : {};
}
