/**
 * The vocabulary in which TPM 2.0 structures are written down as tables (`structures.ts`, `commands.ts`).
 * One reader (`decode.ts`) and one writer (`encode.ts`) walk them. The type parameter is the TypeScript value of a wire type.
 */
export interface Wire<T> {
  readonly shape: Shape;
  /** Never there: carries the type of the value. */
  readonly value?: T;
}

/** A type of the specification: what it is called, and its section in the TPM 2.0 Library part 2 (revision 1.59). */
export interface Row<T> extends Wire<T> {
  readonly name: string;
  readonly section: string;
}

/** A field that follows from others and so is no part of the value: a magic number, a union's selector. */
export interface Hidden {
  readonly shape: Shape;
  readonly hidden: true;
}

export type Fields = Readonly<Record<string, Wire<unknown> | Hidden>>;
/** Arms of a union: kind, selector value, section of the arm's structure (of its TPMU where it has none), fields. */
export type Arms = Readonly<
  Record<string, { readonly tag: number; readonly section: string; readonly fields: Fields }>
>;
/** Names of numbers: an algorithm, a curve. */
export type Names = Readonly<Record<string, number>>;

export type Shape =
  | { readonly kind: 'uint'; readonly width: 1 | 2 | 4; readonly min: number; readonly max: number }
  | { readonly kind: 'uint64' }
  | { readonly kind: 'yes-no' }
  | { readonly kind: 'constant'; readonly width: 2 | 4; readonly value: number }
  | { readonly kind: 'name'; readonly width: 1 | 2 | 4; readonly names: Names }
  | { readonly kind: 'flags'; readonly width: 1 | 4; readonly bits: Names }
  | { readonly kind: 'buffer'; readonly width: 1 | 2; readonly min: number; readonly max: number }
  | { readonly kind: 'fixed'; readonly length: number }
  | { readonly kind: 'rest'; readonly max: number }
  | { readonly kind: 'sized'; readonly inner: Shape }
  | { readonly kind: 'list'; readonly item: Shape; readonly max: number }
  | { readonly kind: 'structure'; readonly fields: Fields }
  | { readonly kind: 'union'; readonly width: 2 | 4; readonly arms: Arms }
  | { readonly kind: 'selector'; readonly width: 2; readonly tags: Names; readonly of: readonly string[] }
  | { readonly kind: 'arm'; readonly by: string; readonly arms: Arms };

export type ValueOf<W> = W extends Wire<infer T> ? T : never;

type Simplify<T> = { [K in keyof T]: T[K] };
export type ValueOfFields<F extends Fields> = Simplify<{
  readonly [K in keyof F as F[K] extends Hidden ? never : K]: ValueOf<F[K]>;
}>;
export type ValueOfArms<A extends Arms> = {
  [K in keyof A]: Simplify<{ readonly kind: K } & ValueOfFields<A[K]['fields']>>;
}[keyof A];

export const u16: Wire<number> = uint(2);
export const u32: Wire<number> = uint(4);
export const u64: Wire<bigint> = { shape: { kind: 'uint64' } };
/** TPMI_YES_NO (part 2, 9.2): 0 or 1. */
export const yesNo: Wire<boolean> = { shape: { kind: 'yes-no' } };

export function uint(width: 1 | 2 | 4, min = 0, max = 256 ** width - 1): Wire<number> {
  return { shape: { kind: 'uint', width, min, max } };
}

export function constant(width: 2 | 4, value: number): Hidden {
  return { shape: { kind: 'constant', width, value }, hidden: true };
}

/** A number known by its name; numbers without a name are refused. */
export function named<N extends Names>(width: 1 | 2 | 4, names: N): Wire<keyof N & string> {
  return { shape: { kind: 'name', width, names } };
}

/** A bit field: each name is the position of its bit; the other bits are reserved and must be clear. */
export function flags<B extends Names>(width: 1 | 4, bits: B): Wire<{ readonly [K in keyof B]: boolean }> {
  return { shape: { kind: 'flags', width, bits } };
}

/** A TPM2B: `min` to `max` bytes behind their length (in `width` bytes). */
export function buffer(max: number, min = 0, width: 1 | 2 = 2): Wire<Uint8Array> {
  return { shape: { kind: 'buffer', width, min, max } };
}

/** Bytes without a length of their own. */
export function fixed(length: number): Wire<Uint8Array> {
  return { shape: { kind: 'fixed', length } };
}

/** All that is left of the input or of the surrounding TPM2B. */
export function rest(max: number): Wire<Uint8Array> {
  return { shape: { kind: 'rest', max } };
}

/** A TPM2B whose content is a structure, which must fill it exactly. */
export function sized<T>(inner: Wire<T>): Wire<T> {
  return { shape: { kind: 'sized', inner: inner.shape } };
}

/** A TPML: a count in 32 bits, then the items. */
export function list<T>(item: Wire<T>, max: number): Wire<readonly T[]> {
  return { shape: { kind: 'list', item: item.shape, max } };
}

/** Names a wire type by the specification. */
export function row<T>(name: string, section: string, wire: Wire<T>): Row<T> {
  return { name, section, shape: wire.shape };
}

/** A TPMS or TPMT: fields in order. */
export function structure<const F extends Fields>(
  name: string,
  section: string,
  fields: F,
): Row<ValueOfFields<F>> {
  return row(name, section, { shape: { kind: 'structure', fields } });
}

/** A TPMT whose selector stands directly before its union. The value's `kind` is the selector. */
export function union<const A extends Arms>(
  name: string,
  section: string,
  arms: A,
  width: 2 | 4 = 2,
): Row<ValueOfArms<A>> {
  return row(name, section, { shape: { kind: 'union', width, arms } });
}

/** The selector of unions that come later in the structure, in the fields `of`; it has a value for each arm. */
export function selector(arms: Arms, ...of: readonly string[]): Hidden {
  const tags = Object.fromEntries(Object.entries(arms).map(([kind, { tag }]) => [kind, tag]));
  return { shape: { kind: 'selector', width: 2, tags, of }, hidden: true };
}

/** A union whose selector is the earlier field `by`. */
export function arm<const A extends Arms>(by: string, arms: A): Wire<ValueOfArms<A>> {
  return { shape: { kind: 'arm', by, arms } };
}
