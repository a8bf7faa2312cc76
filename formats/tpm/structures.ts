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
  row,
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

// Each row names its type and its section in the TPM 2.0 Library, part 2 (Structures), revision 1.59.

export const HASH = row('TPMI_ALG_HASH', '9.27', named(2, HASHES));
export const DIGEST = row('TPM2B_DIGEST', '10.4.2', buffer(64));
export const DATA = row('TPM2B_DATA', '10.4.3', buffer(66));
export const NONCE = row('TPM2B_NONCE', '10.4.4', buffer(64));
export const AUTH = row('TPM2B_AUTH', '10.4.5', buffer(64));
export const NV_BUFFER = row('TPM2B_MAX_NV_BUFFER', '10.4.9', buffer(2048));
export const TIMEOUT = row('TPM2B_TIMEOUT', '10.4.10', buffer(8));
export const NAME = row('TPM2B_NAME', '10.5.3', buffer(66));
/** Opaque outside the TPM. */
export const PRIVATE = row('TPM2B_PRIVATE', '12.3.7', buffer(2048));
/** Kept as bytes, it is only ever hashed. */
export const CREATION_DATA = row('TPM2B_CREATION_DATA', '15.2', buffer(1024));
export const ENCRYPTED_SECRET = row('TPM2B_ENCRYPTED_SECRET', '11.4.3', buffer(512));

/** Positions of the bits. */
export const OBJECT_ATTRIBUTES = row(
  'TPMA_OBJECT',
  '8.3',
  flags(4, {
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
  }),
);

/** Bit n of octet m is PCR 8m + n. */
export const PCR_SELECTION = structure('TPMS_PCR_SELECTION', '10.6.2', {
  hash: HASH,
  select: buffer(4, 0, 1),
});
export const PCR_SELECTIONS = row('TPML_PCR_SELECTION', '10.9.7', list(PCR_SELECTION, 16));

export const CREATION_TICKET = structure('TPMT_TK_CREATION', '10.7.3', {
  tag: constant(2, 0x8021),
  hierarchy: u32,
  digest: DIGEST,
});
/** Made by TPM2_PolicySecret. */
export const AUTH_TICKET = structure('TPMT_TK_AUTH', '10.7.5', {
  tag: constant(2, 0x8023),
  hierarchy: u32,
  digest: DIGEST,
});

export const DIGESTS = row('TPML_DIGEST', '10.9.5', list(DIGEST, 8));

/** For SHA-256 and SHA-384 banks only. */
export const HASH_VALUE = union('TPMT_HA', '10.3.2', {
  sha256: { tag: HASHES.sha256, section: '10.3.1', fields: { digest: fixed(32) } },
  sha384: { tag: HASHES.sha384, section: '10.3.1', fields: { digest: fixed(48) } },
});
export const DIGEST_VALUES = row('TPML_DIGEST_VALUES', '10.9.6', list(HASH_VALUE, 16));

export const ALG_PROPERTY = structure('TPMS_ALG_PROPERTY', '10.8.1', { algorithm: u16, attributes: u32 });
export const TAGGED_PROPERTY = structure('TPMS_TAGGED_PROPERTY', '10.8.2', { property: u32, value: u32 });

export const CAPABILITY_DATA = union(
  'TPMS_CAPABILITY_DATA',
  '10.10.2',
  {
    algorithms: { tag: 0, section: '10.9.8', fields: { list: list(ALG_PROPERTY, 256) } },
    handles: { tag: 1, section: '10.9.4', fields: { list: list(u32, 256) } },
    pcrs: { tag: 5, section: '10.9.7', fields: { list: PCR_SELECTIONS } },
    properties: { tag: 6, section: '10.9.9', fields: { list: list(TAGGED_PROPERTY, 256) } },
    curves: { tag: 8, section: '10.9.11', fields: { list: list(u16, 256) } },
  },
  4,
);

/** Clock in milliseconds. */
export const CLOCK_INFO = structure('TPMS_CLOCK_INFO', '10.11.1', {
  clock: u64,
  resetCount: u32,
  restartCount: u32,
  safe: yesNo,
});

export const TIME_INFO = structure('TPMS_TIME_INFO', '10.11.6', { time: u64, clockInfo: CLOCK_INFO });

/** 6.2: what a restricted key signs begins with it only when the TPM made it. */
const TPM_GENERATED_VALUE = 0xff544347;

/** TPMU_ATTEST, 10.12.11; the tags are TPMI_ST_ATTEST, 10.12.10. */
const ATTESTED = {
  time: { tag: 0x8019, section: '10.12.2', fields: { time: TIME_INFO, firmwareVersion: u64 } },
  certify: { tag: 0x8017, section: '10.12.3', fields: { name: NAME, qualifiedName: NAME } },
  quote: { tag: 0x8018, section: '10.12.4', fields: { pcrSelect: PCR_SELECTIONS, pcrDigest: DIGEST } },
  creation: { tag: 0x801a, section: '10.12.7', fields: { objectName: NAME, creationHash: DIGEST } },
} as const;

/** Its type is the kind of `attested`. */
export const ATTEST = structure('TPMS_ATTEST', '10.12.12', {
  magic: constant(4, TPM_GENERATED_VALUE),
  type: selector(ATTESTED, 'attested'),
  qualifiedSigner: NAME,
  extraData: DATA,
  clockInfo: CLOCK_INFO,
  firmwareVersion: u64,
  attested: arm('type', ATTESTED),
});
/** Kept as bytes, they are what is signed. */
export const ATTEST_BYTES = row('TPM2B_ATTEST', '10.12.13', buffer(1024));

export const SESSION_ATTRIBUTES = row(
  'TPMA_SESSION',
  '8.4',
  flags(1, { continueSession: 0, auditExclusive: 1, auditReset: 2, decrypt: 5, encrypt: 6, audit: 7 }),
);
export const AUTH_COMMAND = structure('TPMS_AUTH_COMMAND', '10.13.2', {
  sessionHandle: u32,
  nonce: NONCE,
  attributes: SESSION_ATTRIBUTES,
  hmac: AUTH,
});

const HASH_ONLY = { hash: HASH } as const;
const NO_FIELDS = {} as const;

/** Of a session; the same bytes as TPMT_SYM_DEF_OBJECT (11.1.7) of a key. */
export const SYM_DEF = union('TPMT_SYM_DEF', '11.1.6', {
  null: { tag: ALGORITHMS.null, section: '11.1.6', fields: NO_FIELDS },
  aes: {
    tag: ALGORITHMS.aes,
    section: '11.1.3',
    fields: {
      keyBits: named(2, { '128': 128, '192': 192, '256': 256 }),
      mode: named(2, { cfb: ALGORITHMS.cfb }),
    },
  },
});

export const SIG_SCHEME = union('TPMT_SIG_SCHEME', '11.2.1.5', {
  null: { tag: ALGORITHMS.null, section: '11.2.1.4', fields: NO_FIELDS },
  rsassa: { tag: ALGORITHMS.rsassa, section: '11.2.1.2', fields: HASH_ONLY },
  rsapss: { tag: ALGORITHMS.rsapss, section: '11.2.1.2', fields: HASH_ONLY },
  ecdsa: { tag: ALGORITHMS.ecdsa, section: '11.2.1.3', fields: HASH_ONLY },
});

export const KDF_SCHEME = union('TPMT_KDF_SCHEME', '11.2.3.3', {
  null: { tag: ALGORITHMS.null, section: '11.2.3.2', fields: NO_FIELDS },
  kdf1_sp800_56a: { tag: ALGORITHMS.kdf1_sp800_56a, section: '11.2.3.2', fields: HASH_ONLY },
  kdf1_sp800_108: { tag: ALGORITHMS.kdf1_sp800_108, section: '11.2.3.2', fields: HASH_ONLY },
});

export const RSA_SCHEME = union('TPMT_RSA_SCHEME', '11.2.4.2', {
  null: { tag: ALGORITHMS.null, section: '11.2.3.5', fields: NO_FIELDS },
  rsassa: { tag: ALGORITHMS.rsassa, section: '11.2.1.2', fields: HASH_ONLY },
  rsapss: { tag: ALGORITHMS.rsapss, section: '11.2.1.2', fields: HASH_ONLY },
  rsaes: { tag: ALGORITHMS.rsaes, section: '11.2.2.2', fields: NO_FIELDS },
  oaep: { tag: ALGORITHMS.oaep, section: '11.2.2.2', fields: HASH_ONLY },
});

export const ECC_SCHEME = union('TPMT_ECC_SCHEME', '11.2.5.6', {
  null: { tag: ALGORITHMS.null, section: '11.2.3.5', fields: NO_FIELDS },
  ecdsa: { tag: ALGORITHMS.ecdsa, section: '11.2.1.3', fields: HASH_ONLY },
  ecdh: { tag: ALGORITHMS.ecdh, section: '11.2.2.3', fields: HASH_ONLY },
});

export const RSA_BYTES = row('TPM2B_PUBLIC_KEY_RSA', '11.2.4.5', buffer(512));
export const ECC_PARAMETER = row('TPM2B_ECC_PARAMETER', '11.2.5.1', buffer(66));
/** What an ECC key's encrypted secret holds (11.4.2). */
export const ECC_POINT = structure('TPMS_ECC_POINT', '11.2.5.2', { x: ECC_PARAMETER, y: ECC_PARAMETER });

const RSA_SIGNATURE = { hash: HASH, signature: RSA_BYTES } as const;
const ECC_SIGNATURE = { hash: HASH, r: ECC_PARAMETER, s: ECC_PARAMETER } as const;
export const SIGNATURE = union('TPMT_SIGNATURE', '11.3.4', {
  rsassa: { tag: ALGORITHMS.rsassa, section: '11.3.1', fields: RSA_SIGNATURE },
  rsapss: { tag: ALGORITHMS.rsapss, section: '11.3.1', fields: RSA_SIGNATURE },
  ecdsa: { tag: ALGORITHMS.ecdsa, section: '11.3.2', fields: ECC_SIGNATURE },
});

/** TPMU_PUBLIC_PARMS, 12.2.3.7. */
const PARAMETERS = {
  /** Exponent 0 means 65,537. */
  rsa: {
    tag: ALGORITHMS.rsa,
    section: '12.2.3.5',
    fields: { symmetric: SYM_DEF, scheme: RSA_SCHEME, keyBits: uint(2, 1024, 4096), exponent: u32 },
  },
  ecc: {
    tag: ALGORITHMS.ecc,
    section: '12.2.3.6',
    fields: { symmetric: SYM_DEF, scheme: ECC_SCHEME, curve: named(2, CURVES), kdf: KDF_SCHEME },
  },
} as const;

/** TPMU_PUBLIC_ID, 12.2.3.2. */
const UNIQUE = {
  rsa: { tag: ALGORITHMS.rsa, section: '11.2.4.5', fields: { modulus: RSA_BYTES } },
  ecc: { tag: ALGORITHMS.ecc, section: '11.2.5.2', fields: { x: ECC_PARAMETER, y: ECC_PARAMETER } },
} as const;

/** Of RSA and ECC keys. */
export const PUBLIC = structure('TPMT_PUBLIC', '12.2.4', {
  type: selector(PARAMETERS, 'parameters', 'unique'),
  nameAlg: HASH,
  attributes: OBJECT_ATTRIBUTES,
  authPolicy: DIGEST,
  parameters: arm('type', PARAMETERS),
  unique: arm('type', UNIQUE),
});

export const SENSITIVE_CREATE = structure('TPMS_SENSITIVE_CREATE', '11.1.15', {
  userAuth: AUTH,
  data: buffer(256),
});

/** encIdentity is an encrypted TPM2B_DIGEST, its size field inside. */
export const ID_OBJECT = row(
  'TPM2B_ID_OBJECT',
  '12.4.3',
  sized(structure('TPMS_ID_OBJECT', '12.4.2', { integrityHmac: DIGEST, encIdentity: rest(66) })),
);

/** TPMA_NV, 13.4: positions of the bits that this project looks at. */
export const NV_ATTRIBUTES = { ownerRead: 17, authRead: 18, written: 29 } as const;
export const NV_PUBLIC = structure('TPMS_NV_PUBLIC', '13.5', {
  nvIndex: u32,
  nameAlg: HASH,
  /** TPMA_NV. */
  attributes: u32,
  authPolicy: DIGEST,
  dataSize: u16,
});
