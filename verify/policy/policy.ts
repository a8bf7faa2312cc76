/** Values that are accepted: `any` has to be written (in a file as the list `[any]`); a list is never empty. */
export type Accepted<T> = 'any' | readonly T[];

/** A set of boot measurements: for each PCR of the selection the digests that are accepted. */
export interface PcrSet {
  readonly name: string;
  /** PCR index to lower-case hex digests. */
  readonly values: ReadonlyMap<number, Accepted<string>>;
}

/** Accepted boot states, by the hash of the bank that is quoted. */
export interface PcrPolicy {
  readonly hash: 'sha256' | 'sha384';
  /** One of them must fit whole: several are there while firmware is being updated. */
  readonly sets: readonly PcrSet[];
}

/** A verifier's reference values (schema.json). Trust roots are the context's; here they are only narrowed. */
export interface Policy {
  /** Whether a TPM without vendor root or list entry is accepted: on a development machine only. */
  readonly allowEmulatedTpm: boolean;
  /** Lower-case hex SHA-256 of endorsement keys. */
  readonly eks: Accepted<string>;
  readonly pcrs: 'any' | PcrPolicy;
  /** Lower-case hex SHA-256 of root certificates' DER: of the roots that are held, those that a chain may end in. */
  readonly roots: Accepted<string>;
  readonly namespaces: Accepted<string>;
  readonly serviceAccounts: Accepted<string>;
  readonly enclaves: Accepted<string>;
  /** `sha256:<hex>`, or `name@sha256:<hex>` to pin the name too. */
  readonly images: Accepted<string>;
  readonly specSha256: Accepted<string>;
  readonly modes: Accepted<'tcp' | 'http'>;
  readonly auth: Accepted<'mtls' | 'jwt'>;
  readonly upstream: Accepted<string>;
  /** Lower-case hex SHA-256 of owner keys; asked only when the verifier has no key of its own. */
  readonly ownerKeys: Accepted<string>;
  /** Seconds. */
  readonly maxAge: number;
}

/** An image by name and digest, or by its digest alone. */
export function acceptsImage(accepted: Accepted<string>, image: string): boolean {
  return accepts(accepted, image) || accepts(accepted, image.slice(image.indexOf('@') + 1));
}

export function accepts<T>(accepted: Accepted<T>, value: T): boolean {
  return accepted === 'any' || (Array.isArray(accepted) && accepted.includes(value));
}
