/** One option of a component, as data: parsing, `--help` and the configuration's type are derived from it. */
export type Option =
  | (Common & { readonly kind: 'string' | 'path' | 'address' | 'duration'; readonly default?: string })
  | (Common & { readonly kind: 'choice'; readonly values: readonly string[]; readonly default?: string })
  | (Common & {
      readonly kind: 'integer';
      readonly default?: number;
      readonly min?: number;
      readonly max?: number;
    })
  | (Common & { readonly kind: 'boolean'; readonly default?: boolean })
  | (Common & { readonly kind: 'list'; readonly default?: readonly string[] });

interface Common {
  /** One line, without a full stop. */
  readonly help: string;
  /** Required options have no default. */
  readonly required?: true;
}

/** Keyed by camelCase name: `healthPort` is `--health-port`, `ENCLAVE_<COMPONENT>_HEALTH_PORT` and `health-port` in YAML. */
export type Options = Readonly<Record<string, Option>>;

/** Where to connect to. IPv6 hosts are given in brackets and held without. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** What an option's text becomes: durations in milliseconds. */
type ValueOf<O extends Option> = O['kind'] extends 'integer' | 'duration'
  ? number
  : O['kind'] extends 'boolean'
    ? boolean
    : O['kind'] extends 'list'
      ? readonly string[]
      : O['kind'] extends 'address'
        ? Address
        : O extends { readonly values: readonly (infer V)[] }
          ? V
          : string;

type Given = { readonly required: true } | { readonly default: unknown };

/** An option without `required` and `default` may be undefined. */
export type ConfigOf<S extends Options> = {
  readonly [K in keyof S]: S[K] extends Given ? ValueOf<S[K]> : ValueOf<S[K]> | undefined;
};

/** `healthPort` -> `health-port`. */
export function flagName(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** `healthPort` -> `<PREFIX>HEALTH_PORT`. */
export function environmentName(prefix: string, key: string): string {
  return prefix + flagName(key).replaceAll('-', '_').toUpperCase();
}
