/** TPM_ALG_ID (part 2, 6.3; values from the TCG Algorithm Registry). */
export const ALGORITHMS = {
  rsa: 0x0001,
  sha1: 0x0004,
  hmac: 0x0005,
  aes: 0x0006,
  keyedhash: 0x0008,
  xor: 0x000a,
  sha256: 0x000b,
  sha384: 0x000c,
  sha512: 0x000d,
  null: 0x0010,
  sm3_256: 0x0012,
  rsassa: 0x0014,
  rsaes: 0x0015,
  rsapss: 0x0016,
  oaep: 0x0017,
  ecdsa: 0x0018,
  ecdh: 0x0019,
  ecdaa: 0x001a,
  kdf1_sp800_56a: 0x0020,
  kdf2: 0x0021,
  kdf1_sp800_108: 0x0022,
  ecc: 0x0023,
  symcipher: 0x0025,
  camellia: 0x0026,
  sha3_256: 0x0027,
  sha3_384: 0x0028,
  sha3_512: 0x0029,
  cfb: 0x0043,
} as const;

/** TPMI_ALG_HASH (part 2, 9.27). */
export const HASHES = {
  sha1: ALGORITHMS.sha1,
  sha256: ALGORITHMS.sha256,
  sha384: ALGORITHMS.sha384,
  sha512: ALGORITHMS.sha512,
  sm3_256: ALGORITHMS.sm3_256,
  sha3_256: ALGORITHMS.sha3_256,
  sha3_384: ALGORITHMS.sha3_384,
  sha3_512: ALGORITHMS.sha3_512,
} as const;
/** Name of a hash algorithm, as values have it: `sha256`, `sha384`, ... */
export type TpmHash = keyof typeof HASHES;

/** TPMI_ECC_CURVE (part 2, 6.4; TCG Algorithm Registry). */
export const CURVES = { 'P-256': 0x0003, 'P-384': 0x0004, 'P-521': 0x0005 } as const;
/** Name of a curve, as values have it. */
export type TpmCurve = keyof typeof CURVES;
