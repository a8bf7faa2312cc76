import { type Command, command } from './command.ts';
import {
  ATTEST_BYTES,
  AUTH_TICKET,
  CAPABILITY_DATA,
  CREATION_DATA,
  CREATION_TICKET,
  DATA,
  DIGEST,
  DIGEST_VALUES,
  DIGESTS,
  ENCRYPTED_SECRET,
  HASH,
  ID_OBJECT,
  NAME,
  NONCE,
  NV_BUFFER,
  NV_PUBLIC,
  PCR_SELECTIONS,
  PRIVATE,
  PUBLIC,
  SENSITIVE_CREATE,
  SIG_SCHEME,
  SIGNATURE,
  SYM_DEF,
  TIME_INFO,
  TIMEOUT,
} from './structures.ts';
import { named, sized, u16, u32, u64, uint, yesNo } from './wire.ts';

const NONE = {} as const;

export const STARTUP = command({
  name: 'TPM2_Startup',
  section: '9.3',
  code: 0x144,
  handles: [],
  authorized: 0,
  parameters: { startupType: named(2, { clear: 0, state: 1 }) },
  responseHandles: [],
  response: NONE,
});

export const GET_CAPABILITY = command({
  name: 'TPM2_GetCapability',
  section: '30.2',
  code: 0x17a,
  handles: [],
  authorized: 0,
  parameters: {
    capability: named(4, { algorithms: 0, handles: 1, pcrs: 5, properties: 6, curves: 8 }),
    property: u32,
    propertyCount: u32,
  },
  responseHandles: [],
  response: { moreData: yesNo, capabilityData: CAPABILITY_DATA },
});

export const CREATE_PRIMARY = command({
  name: 'TPM2_CreatePrimary',
  section: '24.1',
  code: 0x131,
  handles: ['primaryHandle'],
  authorized: 1,
  parameters: {
    inSensitive: sized(SENSITIVE_CREATE),
    inPublic: sized(PUBLIC),
    outsideInfo: DATA,
    creationPCR: PCR_SELECTIONS,
  },
  responseHandles: ['objectHandle'],
  response: {
    outPublic: sized(PUBLIC),
    creationData: CREATION_DATA,
    creationHash: DIGEST,
    creationTicket: CREATION_TICKET,
    name: NAME,
  },
});

export const CREATE = command({
  name: 'TPM2_Create',
  section: '12.1',
  code: 0x153,
  handles: ['parentHandle'],
  authorized: 1,
  parameters: {
    inSensitive: sized(SENSITIVE_CREATE),
    inPublic: sized(PUBLIC),
    outsideInfo: DATA,
    creationPCR: PCR_SELECTIONS,
  },
  responseHandles: [],
  response: {
    outPrivate: PRIVATE,
    outPublic: sized(PUBLIC),
    creationData: CREATION_DATA,
    creationHash: DIGEST,
    creationTicket: CREATION_TICKET,
  },
});

export const LOAD = command({
  name: 'TPM2_Load',
  section: '12.2',
  code: 0x157,
  handles: ['parentHandle'],
  authorized: 1,
  parameters: { inPrivate: PRIVATE, inPublic: sized(PUBLIC) },
  responseHandles: ['objectHandle'],
  response: { name: NAME },
});

export const READ_PUBLIC = command({
  name: 'TPM2_ReadPublic',
  section: '12.4',
  code: 0x173,
  handles: ['objectHandle'],
  authorized: 0,
  parameters: NONE,
  responseHandles: [],
  response: { outPublic: sized(PUBLIC), name: NAME, qualifiedName: NAME },
});

export const ACTIVATE_CREDENTIAL = command({
  name: 'TPM2_ActivateCredential',
  section: '12.5',
  code: 0x147,
  handles: ['activateHandle', 'keyHandle'],
  authorized: 2,
  parameters: { credentialBlob: ID_OBJECT, secret: ENCRYPTED_SECRET },
  responseHandles: [],
  response: { certInfo: DIGEST },
});

export const EVICT_CONTROL = command({
  name: 'TPM2_EvictControl',
  section: '28.5',
  code: 0x120,
  handles: ['auth', 'objectHandle'],
  authorized: 1,
  parameters: { persistentHandle: u32 },
  responseHandles: [],
  response: NONE,
});

/** The handle stands in the parameter area; on the wire that makes no difference. */
export const FLUSH_CONTEXT = command({
  name: 'TPM2_FlushContext',
  section: '28.4',
  code: 0x165,
  handles: ['flushHandle'],
  authorized: 0,
  parameters: NONE,
  responseHandles: [],
  response: NONE,
});

export const START_AUTH_SESSION = command({
  name: 'TPM2_StartAuthSession',
  section: '11.1',
  code: 0x176,
  handles: ['tpmKey', 'bind'],
  authorized: 0,
  parameters: {
    nonceCaller: NONCE,
    encryptedSalt: ENCRYPTED_SECRET,
    sessionType: named(1, { hmac: 0, policy: 1, trial: 3 }),
    symmetric: SYM_DEF,
    authHash: HASH,
  },
  responseHandles: ['sessionHandle'],
  response: { nonceTPM: NONCE },
});

/** `expiration` is an INT32; this project sends 0 (no limit) only. */
export const POLICY_SECRET = command({
  name: 'TPM2_PolicySecret',
  section: '23.4',
  code: 0x151,
  handles: ['authHandle', 'policySession'],
  authorized: 1,
  parameters: { nonceTPM: NONCE, cpHashA: DIGEST, policyRef: NONCE, expiration: uint(4, 0, 0) },
  responseHandles: [],
  response: { timeout: TIMEOUT, policyTicket: AUTH_TICKET },
});

export const QUOTE = command({
  name: 'TPM2_Quote',
  section: '18.4',
  code: 0x158,
  handles: ['signHandle'],
  authorized: 1,
  parameters: { qualifyingData: DATA, inScheme: SIG_SCHEME, pcrSelect: PCR_SELECTIONS },
  responseHandles: [],
  response: { quoted: ATTEST_BYTES, signature: SIGNATURE },
});

export const CERTIFY = command({
  name: 'TPM2_Certify',
  section: '18.2',
  code: 0x148,
  handles: ['objectHandle', 'signHandle'],
  authorized: 2,
  parameters: { qualifyingData: DATA, inScheme: SIG_SCHEME },
  responseHandles: [],
  response: { certifyInfo: ATTEST_BYTES, signature: SIGNATURE },
});

export const CERTIFY_CREATION = command({
  name: 'TPM2_CertifyCreation',
  section: '18.3',
  code: 0x14a,
  handles: ['signHandle', 'objectHandle'],
  authorized: 1,
  parameters: {
    qualifyingData: DATA,
    creationHash: DIGEST,
    inScheme: SIG_SCHEME,
    creationTicket: CREATION_TICKET,
  },
  responseHandles: [],
  response: { certifyInfo: ATTEST_BYTES, signature: SIGNATURE },
});

export const GET_TIME = command({
  name: 'TPM2_GetTime',
  section: '18.7',
  code: 0x14c,
  handles: ['privacyAdminHandle', 'signHandle'],
  authorized: 2,
  parameters: { qualifyingData: DATA, inScheme: SIG_SCHEME },
  responseHandles: [],
  response: { timeInfo: ATTEST_BYTES, signature: SIGNATURE },
});

export const PCR_READ = command({
  name: 'TPM2_PCR_Read',
  section: '22.4',
  code: 0x17e,
  handles: [],
  authorized: 0,
  parameters: { pcrSelectionIn: PCR_SELECTIONS },
  responseHandles: [],
  response: { pcrUpdateCounter: u32, pcrSelectionOut: PCR_SELECTIONS, pcrValues: DIGESTS },
});

export const PCR_EXTEND = command({
  name: 'TPM2_PCR_Extend',
  section: '22.2',
  code: 0x182,
  handles: ['pcrHandle'],
  authorized: 1,
  parameters: { digests: DIGEST_VALUES },
  responseHandles: [],
  response: NONE,
});

export const READ_CLOCK = command({
  name: 'TPM2_ReadClock',
  section: '29.1',
  code: 0x181,
  handles: [],
  authorized: 0,
  parameters: NONE,
  responseHandles: [],
  response: { currentTime: TIME_INFO },
});

export const CLOCK_SET = command({
  name: 'TPM2_ClockSet',
  section: '29.2',
  code: 0x128,
  handles: ['auth'],
  authorized: 1,
  parameters: { newTime: u64 },
  responseHandles: [],
  response: NONE,
});

export const NV_READ_PUBLIC = command({
  name: 'TPM2_NV_ReadPublic',
  section: '31.6',
  code: 0x169,
  handles: ['nvIndex'],
  authorized: 0,
  parameters: NONE,
  responseHandles: [],
  response: { nvPublic: sized(NV_PUBLIC), nvName: NAME },
});

export const NV_READ = command({
  name: 'TPM2_NV_Read',
  section: '31.13',
  code: 0x14e,
  handles: ['authHandle', 'nvIndex'],
  authorized: 1,
  parameters: { size: u16, offset: u16 },
  responseHandles: [],
  response: { data: NV_BUFFER },
});

export const COMMANDS: readonly Command[] = [
  STARTUP,
  GET_CAPABILITY,
  CREATE_PRIMARY,
  CREATE,
  LOAD,
  READ_PUBLIC,
  ACTIVATE_CREDENTIAL,
  EVICT_CONTROL,
  FLUSH_CONTEXT,
  START_AUTH_SESSION,
  POLICY_SECRET,
  QUOTE,
  CERTIFY,
  CERTIFY_CREATION,
  GET_TIME,
  PCR_READ,
  PCR_EXTEND,
  READ_CLOCK,
  CLOCK_SET,
  NV_READ_PUBLIC,
  NV_READ,
];
