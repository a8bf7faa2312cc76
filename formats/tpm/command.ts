import type { Fields, ValueOfFields } from './wire.ts';

/**
 * A TPM command as data. `handles` are the handle area in order, the first `authorized` of which need a session;
 * `section` is its place in the TPM 2.0 Library, part 3 (Commands).
 */
export interface Command<
  H extends readonly string[] = readonly string[],
  P extends Fields = Fields,
  RH extends readonly string[] = readonly string[],
  R extends Fields = Fields,
> {
  readonly name: string;
  readonly section: string;
  /** TPM_CC (part 2, 6.5.2). */
  readonly code: number;
  readonly handles: H;
  readonly authorized: number;
  readonly parameters: P;
  readonly responseHandles: RH;
  readonly response: R;
}

/** What a command takes: its handles and parameters by name. */
export type RequestOf<C> =
  C extends Command<infer H, infer P, infer _RH, infer _R>
    ? { readonly [K in H[number]]: number } & ValueOfFields<P>
    : never;

/** What a command answers: handle and parameters by name. */
export type ResponseOf<C> =
  C extends Command<infer _H, infer _P, infer RH, infer R>
    ? { readonly [K in RH[number]]: number } & ValueOfFields<R>
    : never;

export function command<
  const H extends readonly string[],
  const P extends Fields,
  const RH extends readonly string[],
  const R extends Fields,
>(definition: Command<H, P, RH, R>): Command<H, P, RH, R> {
  return definition;
}
