/** Permanent handles (TPM 2.0 Library part 2, 7.4 TPM_RH). */
export const RH = {
  owner: 0x40000001,
  null: 0x40000007,
  /** TPM_RS_PW: a password authorization instead of a session. */
  password: 0x40000009,
  lockout: 0x4000000a,
  endorsement: 0x4000000b,
  platform: 0x4000000c,
} as const;

/** First handles of the ranges (part 2, 7.5 TPM_HC) that TPM2_GetCapability lists. */
export const HANDLE_RANGES = {
  nvIndex: 0x01000000,
  loadedSession: 0x02000000,
  savedSession: 0x03000000,
  transient: 0x80000000,
  persistent: 0x81000000,
} as const;
