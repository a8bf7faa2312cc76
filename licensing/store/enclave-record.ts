/**
 * An enclave's row. `launching`, `ready`, `stopping` and `failing` hold a seat; `stopping` and `failing` wait for the launcher to
 * say that nothing is left in the cluster, and become `stopped` and `failed`, which hold none.
 */
export type EnclaveState = 'launching' | 'ready' | 'stopping' | 'failing' | 'stopped' | 'failed';

export const SEATED_STATES: readonly EnclaveState[] = ['launching', 'ready', 'stopping', 'failing'];
/** Some front has to act. */
export const UNFINISHED_STATES: readonly EnclaveState[] = ['launching', 'stopping', 'failing'];

/** Nothing more is to be done by a front, unless somebody asks for it. */
export function isAtRest(state: EnclaveState | undefined): boolean {
  return state !== undefined && !UNFINISHED_STATES.includes(state);
}

/** What a launch asks for; none of it changes afterwards. */
export interface NewEnclave {
  /** DNS label, derived from user and launch id. */
  readonly id: string;
  readonly user: string;
  /** 16 bytes, chosen by the client. */
  readonly launchId: Uint8Array;
  readonly profile: string;
  /** SHA-256 of the owner key's SPKI, lower-case hex. */
  readonly ownerKeySha256: string;
  /** The client's nonce of the first call: 16 to 64 bytes. */
  readonly nonce: Uint8Array;
  /** PKCS#10 DER. */
  readonly certificateRequest: Uint8Array;
}

/** What becomes known on the way. Times are milliseconds since 1970. */
export interface EnclaveProgress {
  readonly state: EnclaveState;
  /** `Phase` of licensing.v1: the furthest reached. */
  readonly phase: number;
  /** What was said of it last. */
  readonly message: string;
  /** Why it failed, and the refusal's code: empty unless failing or failed. */
  readonly reason: string;
  readonly reasonCode: string;
  readonly namespace: string;
  /** host:port, empty until ready. */
  readonly endpoint: string;
  readonly serverName: string;
  /** The profile's spec as JSON, as the launcher used it; empty until ready. */
  readonly profileSpec: string;
  /** When its user last asked for it. */
  readonly attendedAt: number;
  /** Whether a client was handed the launch's result. */
  readonly delivered: boolean;
}

export interface EnclaveRecord extends NewEnclave, EnclaveProgress {
  /** The front that drives it, alive or not; empty when none does. */
  readonly driver: string;
  readonly createdAt: number;
  readonly updatedAt: number;
}
