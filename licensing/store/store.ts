import type { Result } from '../../formats/bytes/result.ts';
import type { EnclaveProgress, EnclaveRecord, EnclaveState, NewEnclave } from './enclave-record.ts';

export type StoreCode = 'user-exists' | 'unknown-user' | 'no-seat' | 'launch-id-reused';

export interface UserRecord {
  readonly name: string;
  /** scrypt-kdf's 96 bytes: parameters, salt and tag. Never logged. */
  readonly passwordKey: Uint8Array;
}

/** The public half of a key that signs tokens; the private one never leaves the front that made it. */
export interface TokenKeyRecord {
  /** JWK thumbprint (RFC 7638). */
  readonly keyId: string;
  /** SPKI DER. */
  readonly publicKey: Uint8Array;
  readonly createdAt: number;
  /** No token that it signed is good any longer. */
  readonly expiresAt: number;
}

export interface Page {
  /** At most so many. */
  readonly limit: number;
  /** Continue after this record: newest first, then by id. */
  readonly after?: { readonly createdAt: number; readonly id: string };
}

/** The fronts that live at this moment, among them the one that asks. */
export interface LivingFronts {
  readonly count: number;
  /** It has been there longest: what one front does for all is its part. */
  readonly eldest: boolean;
}

export interface ClaimedEnclave {
  readonly record: EnclaveRecord;
  /** It is this front's to drive. */
  readonly ours: boolean;
}

/**
 * All that fronts know. Every call is one transaction that is on disk when it returns; refusals are values, an exception
 * means that the database cannot be used now. Times are milliseconds since 1970 and the caller's, but for leases, which are judged
 * by the store's own clock: the same one for all fronts.
 */
export interface Store {
  /** The user and a licence with so many seats. */
  createUser(user: UserRecord, seats: number, now: number): Promise<Result<undefined, StoreCode>>;
  findUser(name: string): Promise<UserRecord | undefined>;

  /**
   * Takes a seat and writes the launch, both or neither; that front drives it. The same user and launch id again give the record
   * that is there (`created` false), and `launch-id-reused` when profile or owner key differ.
   */
  takeSeat(
    enclave: NewEnclave,
    front: string,
    now: number,
  ): Promise<Result<{ readonly record: EnclaveRecord; readonly created: boolean }, StoreCode>>;
  findEnclave(id: string): Promise<EnclaveRecord | undefined>;
  listEnclaves(user: string, page: Page): Promise<readonly EnclaveRecord[]>;
  /** Of every user, in these states, oldest first. */
  enclavesIn(states: readonly EnclaveState[]): Promise<readonly EnclaveRecord[]>;
  /**
   * Compare and set: undefined, and nothing changed, when the record is in none of `from`. A record that comes to rest (ready, stopped,
   * failed) is no front's any more.
   */
  updateEnclave(
    id: string,
    from: readonly EnclaveState[],
    change: Partial<EnclaveProgress>,
    now: number,
  ): Promise<EnclaveRecord | undefined>;
  /** Deletes finished records last changed before that time; says how many. */
  forgetFinished(before: number): Promise<number>;
  seatsTaken(): Promise<number>;

  /** That front lives for so many milliseconds from now on. */
  renewFront(front: string, leaseMs: number): Promise<LivingFronts>;
  /** It ends: what it drove is anybody's at once. */
  leaveFront(front: string): Promise<void>;
  /** Takes an unfinished enclave for that front to drive, unless another front that lives has it. Undefined: there is no such record. */
  claimEnclave(id: string, front: string): Promise<ClaimedEnclave | undefined>;
  /** Unfinished enclaves that are that front's, or no living front's; oldest first. */
  claimable(front: string): Promise<readonly EnclaveRecord[]>;

  /** Those that have not expired, oldest first. */
  tokenKeys(now: number): Promise<readonly TokenKeyRecord[]>;
  /** Writes a key, and forgets those that have expired when it is made. */
  addTokenKey(key: TokenKeyRecord): Promise<void>;

  close(): Promise<void>;
}
