import { ALGORITHMS, CURVES, HASHES } from './algorithms.ts';
import {
  arm,
  buffer,
  constant,
  fixed,
  flags,
  list,
  named,
  rest,
  selector,
  sized,
  structure,
  u16,
  u32,
  u64,
  uint,
  union,
  yesNo,
} from './wire.ts';

// Section numbers are those of the TPM 2.0 Library, part 2 (Structures).

/** 9.27 TPMI_ALG_HASH */
export const HASH = named(2, HASHES);
/** 10.4.2 TPM2B_DIGEST */
export const DIGEST = buffer(64);
/** 10.4.3 TPM2B_DATA */
export const DATA = buffer(66);
/** 10.4.4 TPM2B_NONCE */
export const NONCE = buffer(64);
/** 10.4.5 TPM2B_AUTH */
export const AUTH = buffer(64);
/** 10.4.9 TPM2B_MAX_NV_BUFFER */
export const NV_BUFFER = buffer(2048);
/** 10.4.10 TPM2B_TIMEOUT */
export const TIMEOUT = buffer(8);
/** 10.5.3 TPM2B_NAME */
export const NAME = buffer(66);
/** 12.3.7 TPM2B_PRIVATE: opaque outside the TPM */
export const PRIVATE = buffer(2048);
/** 15.2 TPM2B_CREATION_DATA: kept as bytes, it is only ever hashed */
export const CREATION_DATA = buffer(1024);
/** 11.4.33 TPM2B_ENCRYPTED_SECRET */
export const ENCRYPTED_SECRET = buffer(512);

/** 8.3 TPMA_OBJECT: positions of the bits */
export const OBJECT_ATTRIBUTES = flags(4, {
  fixedTPM: 1,
  stClear: 2,
  fixedParent: 4,
  sensitiveDataOrigin: 5,
  userWithAuth: 6,
  adminWithPolicy: 7,
  noDA: 10,
  encryptedDuplication: 11,
  restricted: 16,
  decrypt: 17,
  sign: 18,
  x509sign: 19,
});

/** 10.6.2 TPMS_PCR_SELECTION: bit n of octet m is PCR 8m + n */
export const PCR_SELECTION = structure('TPMS_PCR_SELECTION', '10.6.2', {
  hash: HASH,
  select: buffer(4, 0, 1),
});
/** 10.9.7 TPML_PCR_SELECTION */
export const PCR_SELECTIONS = list(PCR_SELECTION, 16);

/** 10.7.3 TPMT_TK_CREATION */
export const CREATION_TICKET = structure('TPMT_TK_CREATION', '10.7.3', {
  tag: constant(2, 0x8021),
  hierarchy: u32,
  digest: DIGEST,
});
/** 10.7.5 TPMT_TK_AUTH, made by TPM2_PolicySecret */
export const AUTH_TICKET = structure('TPMT_TK_AUTH', '10.7.5', {
  tag: constant(2, 0x8023),
  hierarchy: u32,
  digest: DIGEST,
});

/** 10.9.5 TPML_DIGEST */
export const DIGESTS = list(DIGEST, 8);

/** 10.3.2 TPMT_HA, with 10.9.6 TPML_DIGEST_VALUES: for SHA-256 and SHA-384 banks only */
export const DIGEST_VALUES = list(
  union('TPMT_HA', '10.3.2', {
    sha256: { tag: HASHES.sha256, fields: { digest: fixed(32) } },
    sha384: { tag: HASHES.sha384, fields: { digest: fixed(48) } },
  }),
  16,
);

/** 10.10.2 TPMS_CAPABILITY_DATA */
export const CAPABILITY_DATA = union(
  'TPMS_CAPABILITY_DATA',
  '10.10.2',
  {
    algorithms: {
      tag: 0,
      fields: {
        list: list(structure('TPMS_ALG_PROPERTY', '10.8.1', { algorithm: u16, attributes: u32 }), 256),
      },
    },
    handles: { tag: 1, fields: { list: list(u32, 256) } },
    pcrs: { tag: 5, fields: { list: PCR_SELECTIONS } },
    properties: {
      tag: 6,
      fields: { list: list(structure('TPMS_TAGGED_PROPERTY', '10.8.2', { property: u32, value: u32 }), 256) },
    },
    curves: { tag: 8, fields: { list: list(u16, 256) } },
  },
  4,
);

/** 10.11.1 TPMS_CLOCK_INFO: clock in milliseconds */
export const CLOCK_INFO = structure('TPMS_CLOCK_INFO', '10.11.1', {
  clock: u64,
  resetCount: u32,
  restartCount: u32,
  safe: yesNo,
});

/** 10.11.6 TPMS_TIME_INFO */
export const TIME_INFO = structure('TPMS_TIME_INFO', '10.11.6', { time: u64, clockInfo: CLOCK_INFO });

/** 6.2 TPM_GENERATED_VALUE: what a restricted key signs begins with it only when the TPM made it */
const TPM_GENERATED_VALUE = 0xff544347;

const ATTESTED = {
  /** 10.12.2 TPMS_TIME_ATTEST_INFO */
  time: { tag: 0x8019, fields: { time: TIME_INFO, firmwareVersion: u64 } },
  /** 10.12.3 TPMS_CERTIFY_INFO */
  certify: { tag: 0x8017, fields: { name: NAME, qualifiedName: NAME } },
  /** 10.12.4 TPMS_QUOTE_INFO */
  quote: { tag: 0x8018, fields: { pcrSelect: PCR_SELECTIONS, pcrDigest: DIGEST } },
  /** 10.12.7 TPMS_CREATION_INFO */
  creation: { tag: 0x801a, fields: { objectName: NAME, creationHash: DIGEST } },
} as const;

/** 10.12.12 TPMS_ATTEST; its type (10.12.10 TPMI_ST_ATTEST) is the kind of `attested` (10.12.11 TPMU_ATTEST) */
export const ATTEST = structure('TPMS_ATTEST', '10.12.12', {
  magic: constant(4, TPM_GENERATED_VALUE),
  type: selector(ATTESTED, 'attested'),
  qualifiedSigner: NAME,
  extraData: DATA,
  clockInfo: CLOCK_INFO,
  firmwareVersion: u64,
  attested: arm('type', ATTESTED),
});
/** 10.12.13 TPM2B_ATTEST: kept as bytes, they are what is signed */
export const ATTEST_BYTES = buffer(1024);

/** 8.4 TPMA_SESSION */
export const SESSION_ATTRIBUTES = flags(1, {
  continueSession: 0,
  auditExclusive: 1,
  auditReset: 2,
  decrypt: 5,
  encrypt: 6,
  audit: 7,
});
/** 10.13.2 TPMS_AUTH_COMMAND */
export const AUTH_COMMAND = structure('TPMS_AUTH_COMMAND', '10.13.2', {
  sessionHandle: u32,
  nonce: NONCE,
  attributes: SESSION_ATTRIBUTES,
  hmac: AUTH,
});

const HASH_ONLY = { hash: HASH } as const;
const NO_FIELDS = {} as const;

/** 11.1.6 TPMT_SYM_DEF+ and 11.1.7 TPMT_SYM_DEF_OBJECT+ */
export const SYM_DEF = union('TPMT_SYM_DEF', '11.1.6', {
  null: { tag: ALGORITHMS.null, fields: NO_FIELDS },
  aes: {
    tag: ALGORITHMS.aes,
    fields: {
      keyBits: named(2, { '128': 128, '192': 192, '256': 256 }),
      mode: named(2, { cfb: ALGORITHMS.cfb }),
    },
  },
});

/** 11.2.1.5 TPMT_SIG_SCHEME+ */
export const SIG_SCHEME = union('TPMT_SIG_SCHEME', '11.2.1.5', {
  null: { tag: ALGORITHMS.null, fields: NO_FIELDS },
  rsassa: { tag: ALGORITHMS.rsassa, fields: HASH_ONLY },
  rsapss: { tag: ALGORITHMS.rsapss, fields: HASH_ONLY },
  ecdsa: { tag: ALGORITHMS.ecdsa, fields: HASH_ONLY },
});

/** 11.2.3.3 TPMT_KDF_SCHEME+ */
export const KDF_SCHEME = union('TPMT_KDF_SCHEME', '11.2.3.3', {
  null: { tag: ALGORITHMS.null, fields: NO_FIELDS },
  kdf1_sp800_56a: { tag: ALGORITHMS.kdf1_sp800_56a, fields: HASH_ONLY },
  kdf1_sp800_108: { tag: ALGORITHMS.kdf1_sp800_108, fields: HASH_ONLY },
});

/** 11.2.4.2 TPMT_RSA_SCHEME+ */
export const RSA_SCHEME = union('TPMT_RSA_SCHEME', '11.2.4.2', {
  null: { tag: ALGORITHMS.null, fields: NO_FIELDS },
  rsassa: { tag: ALGORITHMS.rsassa, fields: HASH_ONLY },
  rsapss: { tag: ALGORITHMS.rsapss, fields: HASH_ONLY },
  rsaes: { tag: ALGORITHMS.rsaes, fields: NO_FIELDS },
  oaep: { tag: ALGORITHMS.oaep, fields: HASH_ONLY },
});

/** 11.2.5.6 TPMT_ECC_SCHEME+ */
export const ECC_SCHEME = union('TPMT_ECC_SCHEME', '11.2.5.6', {
  null: { tag: ALGORITHMS.null, fields: NO_FIELDS },
  ecdsa: { tag: ALGORITHMS.ecdsa, fields: HASH_ONLY },
  ecdh: { tag: ALGORITHMS.ecdh, fields: HASH_ONLY },
});

/** 11.2.4.5 TPM2B_PUBLIC_KEY_RSA */
export const RSA_BYTES = buffer(512);
/** 11.2.5.1 TPM2B_ECC_PARAMETER */
export const ECC_PARAMETER = buffer(66);

const RSA_SIGNATURE = { hash: HASH, signature: RSA_BYTES } as const;
/** 11.3.4 TPMT_SIGNATURE, with 11.3.1 TPMS_SIGNATURE_RSA and 11.3.2 TPMS_SIGNATURE_ECC */
export const SIGNATURE = union('TPMT_SIGNATURE', '11.3.4', {
  rsassa: { tag: ALGORITHMS.rsassa, fields: RSA_SIGNATURE },
  rsapss: { tag: ALGORITHMS.rsapss, fields: RSA_SIGNATURE },
  ecdsa: { tag: ALGORITHMS.ecdsa, fields: { hash: HASH, r: ECC_PARAMETER, s: ECC_PARAMETER } },
});

/** 12.2.3.7 TPMU_PUBLIC_PARMS */
const PARAMETERS = {
  /** 12.2.3.5 TPMS_RSA_PARMS; exponent 0 means 65,537 */
  rsa: {
    tag: ALGORITHMS.rsa,
    fields: { symmetric: SYM_DEF, scheme: RSA_SCHEME, keyBits: uint(2, 1024, 4096), exponent: u32 },
  },
  /** 12.2.3.6 TPMS_ECC_PARMS */
  ecc: {
    tag: ALGORITHMS.ecc,
    fields: { symmetric: SYM_DEF, scheme: ECC_SCHEME, curve: named(2, CURVES), kdf: KDF_SCHEME },
  },
} as const;

/** 12.2.3.2 TPMU_PUBLIC_ID */
const UNIQUE = {
  rsa: { tag: ALGORITHMS.rsa, fields: { modulus: RSA_BYTES } },
  ecc: { tag: ALGORITHMS.ecc, fields: { x: ECC_PARAMETER, y: ECC_PARAMETER } },
} as const;

/** 12.2.4 TPMT_PUBLIC, of RSA and ECC keys */
export const PUBLIC = structure('TPMT_PUBLIC', '12.2.4', {
  type: selector(PARAMETERS, 'parameters', 'unique'),
  nameAlg: HASH,
  attributes: OBJECT_ATTRIBUTES,
  authPolicy: DIGEST,
  parameters: arm('type', PARAMETERS),
  unique: arm('type', UNIQUE),
});

/** 11.1.15 TPMS_SENSITIVE_CREATE */
export const SENSITIVE_CREATE = structure('TPMS_SENSITIVE_CREATE', '11.1.15', {
  userAuth: AUTH,
  data: buffer(256),
});

/** 12.4.2 TPMS_ID_OBJECT: encIdentity is an encrypted TPM2B_DIGEST, its size field inside */
export const ID_OBJECT = sized(
  structure('TPMS_ID_OBJECT', '12.4.2', { integrityHmac: DIGEST, encIdentity: rest(66) }),
);

/** 13.4 TPMA_NV: positions of the bits that this project looks at are in `NV_ATTRIBUTES`; 13.5 TPMS_NV_PUBLIC */
export const NV_PUBLIC = structure('TPMS_NV_PUBLIC', '13.5', {
  nvIndex: u32,
  nameAlg: HASH,
  attributes: u32,
  authPolicy: DIGEST,
  dataSize: u16,
});
