/** Kubernetes objects as JSON. The server knows few fields by name, so everything else stays `unknown` and is read through these. */
export type Fields = Record<string, unknown>;

/** metav1.ObjectMeta as far as the server reads it itself. */
export interface ObjectMeta {
  name: string;
  namespace?: string;
  generateName?: string;
  uid: string;
  resourceVersion: string;
  generation?: number;
  creationTimestamp: string;
  deletionTimestamp?: string;
  deletionGracePeriodSeconds?: number;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  finalizers?: string[];
  ownerReferences?: Fields[];
}

export interface KubeObject {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta;
  [field: string]: unknown;
}

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The object itself, or a new empty one where there is none. */
export function fields(value: unknown): Fields {
  return isFields(value) ? value : {};
}

/** The objects of a list; nothing for what is no list. */
export function items(value: unknown): Fields[] {
  return Array.isArray(value) ? value.filter(isFields) : [];
}

export function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

export function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : [];
}

/** The value at a path of member names, `undefined` as soon as one is missing. */
export function dig(value: unknown, ...path: string[]): unknown {
  let at = value;
  for (const name of path) {
    if (!isFields(at)) return undefined;
    at = at[name];
  }
  return at;
}

/** The object at a member, made when it is not there, so that it can be written to. */
export function ensure(value: Fields, name: string): Fields {
  const held = value[name];
  if (isFields(held)) return held;
  const made: Fields = {};
  value[name] = made;
  return made;
}

/** Time as metav1.Time writes it: seconds, UTC. */
export function timestamp(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace(/\.\d+Z$/, 'Z');
}
