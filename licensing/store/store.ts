import type { Result } from '../../formats/bytes/result.ts';
import type { EnclaveProgress, EnclaveRecord, EnclaveState, NewEnclave } from './enclave-record.ts';

export type StoreCode = 'user-exists' | 'unknown-user' | 'no-seat' | 'launch-id-reused';

export interface UserRecord {
  readonly name: string;
  /** scrypt-kdf's 96 bytes: parameters, salt and tag. Never logged. */
  readonly passwordKey: Uint8Array;
}

export interface TokenKeyRecord {
  /** JWK thumbprint (RFC 7638). */
  readonly keyId: string;
  /** PKCS#8 DER. Never logged. */
  readonly privateKey: Uint8Array;
  readonly createdAt: number;
}

export interface Page {
  /** At most so many. */
  readonly limit: number;
  /** Continue after this record: newest first, then by id. */
  readonly after?: { readonly createdAt: number; readonly id: string };
}

/**
 * All that front knows. Every call is one transaction that is on disk when it returns; refusals are values, an exception
 * means that the database cannot be used now. Times are milliseconds since 1970 and always the caller's.
 */
export interface Store {
  /** The user and a licence with so many seats. */
  createUser(user: UserRecord, seats: number, now: number): Promise<Result<undefined, StoreCode>>;
  findUser(name: string): Promise<UserRecord | undefined>;

  /**
   * Takes a seat and writes the launch, both or neither. The same user and launch id again give the record that is there
   * (`created` false), and `launch-id-reused` when profile or owner key differ.
   */
  takeSeat(
    enclave: NewEnclave,
    now: number,
  ): Promise<Result<{ readonly record: EnclaveRecord; readonly created: boolean }, StoreCode>>;
  findEnclave(id: string): Promise<EnclaveRecord | undefined>;
  listEnclaves(user: string, page: Page): Promise<readonly EnclaveRecord[]>;
  /** Of every user, in these states, oldest first. */
  enclavesIn(states: readonly EnclaveState[]): Promise<readonly EnclaveRecord[]>;
  /** Compare and set: undefined, and nothing changed, when the record is in none of `from`. */
  updateEnclave(
    id: string,
    from: readonly EnclaveState[],
    change: Partial<EnclaveProgress>,
    now: number,
  ): Promise<EnclaveRecord | undefined>;
  /** Deletes finished records last changed before that time; says how many. */
  forgetFinished(before: number): Promise<number>;
  seatsTaken(): Promise<number>;

  /** Oldest first. */
  tokenKeys(): Promise<readonly TokenKeyRecord[]>;
  addTokenKey(key: TokenKeyRecord): Promise<void>;

  close(): Promise<void>;
}
