/** Response codes (TPM 2.0 Library part 2, 6.6 TPM_RC) and what they mean. */
interface CodeRow {
  readonly code: number;
  readonly name: string;
  readonly words: string;
}

function row(code: number, name: string, words: string): CodeRow {
  return { code, name, words };
}

/** Format zero, errors: 0x100 + code (part 2, table 16, RC_VER1). */
const VER1: readonly CodeRow[] = [
  row(0x100, 'TPM_RC_INITIALIZE', 'the TPM has been started already, or not yet'),
  row(0x101, 'TPM_RC_FAILURE', 'the TPM is in failure mode; only a reset ends it'),
  row(0x103, 'TPM_RC_SEQUENCE', 'a sequence handle is used wrongly'),
  row(0x10b, 'TPM_RC_PRIVATE', 'private area of no use'),
  row(0x119, 'TPM_RC_HMAC', 'HMAC of no use'),
  row(0x120, 'TPM_RC_DISABLED', 'the command is disabled'),
  row(0x121, 'TPM_RC_EXCLUSIVE', 'an audit session lost its exclusivity'),
  row(0x124, 'TPM_RC_AUTH_TYPE', 'this authorization is not allowed for the handle'),
  row(0x125, 'TPM_RC_AUTH_MISSING', 'a handle needs an authorization that was not sent'),
  row(0x126, 'TPM_RC_POLICY', 'a policy failed, or math in one'),
  row(0x127, 'TPM_RC_PCR', 'a PCR check failed'),
  row(0x128, 'TPM_RC_PCR_CHANGED', 'PCRs have changed since they were checked'),
  row(0x12d, 'TPM_RC_UPGRADE', 'the TPM is in field upgrade mode'),
  row(0x12e, 'TPM_RC_TOO_MANY_CONTEXTS', 'the context counter is at its maximum'),
  row(0x12f, 'TPM_RC_AUTH_UNAVAILABLE', 'the authorization value or policy is not available'),
  row(0x130, 'TPM_RC_REBOOT', 'a reset of the TPM is needed before it goes on'),
  row(0x131, 'TPM_RC_UNBALANCED', 'the key sizes of hash and symmetric algorithm do not fit together'),
  row(0x142, 'TPM_RC_COMMAND_SIZE', "the command's size is not what its header says"),
  row(0x143, 'TPM_RC_COMMAND_CODE', 'the TPM does not have this command'),
  row(0x144, 'TPM_RC_AUTHSIZE', 'the size of the authorization area is wrong'),
  row(0x145, 'TPM_RC_AUTH_CONTEXT', 'an authorization where none is allowed'),
  row(0x146, 'TPM_RC_NV_RANGE', 'an offset or size reaches past the end of an NV index'),
  row(0x147, 'TPM_RC_NV_SIZE', 'an NV index has a size that is not allowed'),
  row(0x148, 'TPM_RC_NV_LOCKED', 'an NV index is locked'),
  row(0x149, 'TPM_RC_NV_AUTHORIZATION', 'the authorization does not open this NV index'),
  row(0x14a, 'TPM_RC_NV_UNINITIALIZED', 'an NV index has never been written'),
  row(0x14b, 'TPM_RC_NV_SPACE', 'the NV memory is full'),
  row(0x14c, 'TPM_RC_NV_DEFINED', 'the NV index or persistent handle is in use'),
  row(0x150, 'TPM_RC_BAD_CONTEXT', 'a saved context is not good'),
  row(0x151, 'TPM_RC_CPHASH', 'the cpHash is set already or wrong'),
  row(0x152, 'TPM_RC_PARENT', 'the parent handle is no storage key'),
  row(0x153, 'TPM_RC_NEEDS_TEST', 'a self test is needed first'),
  row(0x154, 'TPM_RC_NO_RESULT', 'a calculation has no result'),
  row(0x155, 'TPM_RC_SENSITIVE', 'the sensitive area did not decrypt to what it should'),
];

/** Format zero, warnings: 0x900 + code (part 2, table 16, RC_WARN). */
const WARN: readonly CodeRow[] = [
  row(0x901, 'TPM_RC_CONTEXT_GAP', 'the gap between context counters is too large'),
  row(0x902, 'TPM_RC_OBJECT_MEMORY', 'no free slot for an object: some handle must be flushed'),
  row(0x903, 'TPM_RC_SESSION_MEMORY', 'no free slot for a session: some session must be flushed'),
  row(0x904, 'TPM_RC_MEMORY', 'out of memory'),
  row(0x905, 'TPM_RC_SESSION_HANDLES', 'no free session handle'),
  row(0x906, 'TPM_RC_OBJECT_HANDLES', 'no free object handle'),
  row(0x907, 'TPM_RC_LOCALITY', 'the locality is wrong'),
  row(0x908, 'TPM_RC_YIELDED', 'the TPM yielded; send the command again'),
  row(0x909, 'TPM_RC_CANCELED', 'the command was cancelled'),
  row(0x90a, 'TPM_RC_TESTING', 'the TPM tests itself; send the command again'),
  ...[0, 1, 2, 3, 4, 5, 6].flatMap((at) => [
    row(0x910 + at, `TPM_RC_REFERENCE_H${at}`, `handle ${at + 1} points to nothing that is loaded`),
    row(0x918 + at, `TPM_RC_REFERENCE_S${at}`, `session ${at + 1} is not loaded`),
  ]),
  row(0x920, 'TPM_RC_NV_RATE', 'the TPM spares its NV memory; send the command later'),
  row(0x921, 'TPM_RC_LOCKOUT', 'locked out after wrong authorizations (dictionary attack protection)'),
  row(0x922, 'TPM_RC_RETRY', 'the TPM is busy; send the command again'),
  row(0x923, 'TPM_RC_NV_UNAVAILABLE', 'the NV memory cannot be written now'),
];

/** Format one: 0x080 + code, the place of the error in the other bits (part 2, table 16, RC_FMT1). */
const FMT1: readonly CodeRow[] = [
  row(0x081, 'TPM_RC_ASYMMETRIC', 'the asymmetric algorithm is not supported or not correct'),
  row(0x082, 'TPM_RC_ATTRIBUTES', 'inconsistent attributes'),
  row(0x083, 'TPM_RC_HASH', 'the hash algorithm is not supported or not appropriate'),
  row(0x084, 'TPM_RC_VALUE', 'a value is out of range or not correct for its context'),
  row(0x085, 'TPM_RC_HIERARCHY', 'the hierarchy is not enabled or not correct for the use'),
  row(0x087, 'TPM_RC_KEY_SIZE', 'the key size is not supported'),
  row(0x088, 'TPM_RC_MGF', 'the mask generation function is not supported'),
  row(0x089, 'TPM_RC_MODE', 'the mode of operation is not supported'),
  row(0x08a, 'TPM_RC_TYPE', 'the type of the value is not appropriate for the use'),
  row(0x08b, 'TPM_RC_HANDLE', 'there is nothing at this handle, or it is not right for the use'),
  row(0x08c, 'TPM_RC_KDF', 'the key derivation function is not supported or not appropriate'),
  row(0x08d, 'TPM_RC_RANGE', 'a value is out of the allowed range'),
  row(0x08e, 'TPM_RC_AUTH_FAIL', 'the authorization is wrong, and the attempt was counted'),
  row(0x08f, 'TPM_RC_NONCE', 'a nonce has the wrong size or value'),
  row(0x090, 'TPM_RC_PP', 'physical presence is needed'),
  row(0x092, 'TPM_RC_SCHEME', 'the scheme is not supported or does not fit the key'),
  row(0x095, 'TPM_RC_SIZE', 'a structure has the wrong size'),
  row(0x096, 'TPM_RC_SYMMETRIC', 'the symmetric algorithm or key size is not supported'),
  row(0x097, 'TPM_RC_TAG', 'a structure has the wrong tag'),
  row(0x098, 'TPM_RC_SELECTOR', 'a union has an unknown selector'),
  row(0x09a, 'TPM_RC_INSUFFICIENT', 'the TPM expected more bytes'),
  row(0x09b, 'TPM_RC_SIGNATURE', 'a signature is not good'),
  row(0x09c, 'TPM_RC_KEY', 'key fields do not fit the use'),
  row(0x09d, 'TPM_RC_POLICY_FAIL', 'the policy check failed'),
  row(0x09f, 'TPM_RC_INTEGRITY', 'the integrity check failed: made for another key or TPM, or changed'),
  row(0x0a0, 'TPM_RC_TICKET', 'a ticket is not good'),
  row(0x0a1, 'TPM_RC_RESERVED_BITS', 'reserved bits are set'),
  row(0x0a2, 'TPM_RC_BAD_AUTH', 'the authorization is wrong'),
  row(0x0a3, 'TPM_RC_EXPIRED', 'a policy has expired'),
  row(0x0a4, 'TPM_RC_POLICY_CC', 'the policy is for another command'),
  row(0x0a5, 'TPM_RC_BINDING', 'public and sensitive parts do not belong together'),
  row(0x0a6, 'TPM_RC_CURVE', 'the curve is not supported'),
  row(0x0a7, 'TPM_RC_ECC_POINT', 'the point is not on its curve'),
];

/** Of TPM 1.2, with its tag: what a TPM answers that does not know the command's tag. */
const BAD_TAG = row(0x01e, 'TPM_RC_BAD_TAG', 'the command has a tag that is not known');

const byCode = new Map([BAD_TAG, ...VER1, ...WARN, ...FMT1].map((entry) => [entry.code, entry]));

/** Response codes that callers act on, without the place that format one adds (see `bareResponseCode`). */
export const RC = {
  initialize: 0x100,
  failure: 0x101,
  reboot: 0x130,
  nvSpace: 0x14b,
  nvDefined: 0x14c,
  contextGap: 0x901,
  objectMemory: 0x902,
  sessionMemory: 0x903,
  memory: 0x904,
  sessionHandles: 0x905,
  objectHandles: 0x906,
  yielded: 0x908,
  canceled: 0x909,
  testing: 0x90a,
  referenceH0: 0x910,
  nvRate: 0x920,
  lockout: 0x921,
  retry: 0x922,
  nvUnavailable: 0x923,
  value: 0x084,
  hierarchy: 0x085,
  handle: 0x08b,
  authFail: 0x08e,
  size: 0x095,
  integrity: 0x09f,
  badAuth: 0x0a2,
} as const;

/** Bits of a response code (part 2, 6.6.1). */
const FORMAT_ONE = 0x080;
/** Of format zero: a code of the TPM's maker. */
const VENDOR = 0x400;
/** Of format one: about a parameter, whose number is in bits 8 to 11; else about a handle, or from 8 on about a session. */
const PARAMETER = 0x040;
const FIRST_SESSION = 8;
/** The Linux kernel's resource manager answered instead of the TPM, in the TPM's codes (TSS 2.0 Overview, 3.2: layer 11). */
const RESOURCE_MANAGER = 0xb0000;

/** As the TPM itself would have sent it. */
function ownCode(code: number): number {
  return code >= RESOURCE_MANAGER && code <= RESOURCE_MANAGER + 0xfff ? code - RESOURCE_MANAGER : code;
}

/** A response code without who answered, and without the number of the handle, session or parameter that it is about. */
export function bareResponseCode(code: number): number {
  const own = ownCode(code);
  return (own & FORMAT_ONE) === 0 || own > 0xfff ? own : own & 0x0bf;
}

/** A response code in words: name, meaning, and which handle, session or parameter (counted from 1) it is about. */
export function explainResponseCode(code: number): string {
  const hex = `0x${code.toString(16)}`;
  const own = ownCode(code);
  const entry = byCode.get(bareResponseCode(code));
  if (entry !== undefined) return `${entry.name} (${[hex, ...about(code)].join(', ')}): ${entry.words}`;
  const isVendors = own <= 0xfff && (own & FORMAT_ONE) === 0 && (own & VENDOR) !== 0;
  return isVendors ? `${hex}: a code of the TPM's maker` : `${hex}: no response code of TPM 2.0`;
}

/** What a response code is about, and who says so if it is not the TPM. */
function about(code: number): string[] {
  const own = ownCode(code);
  const speaker = own === code ? [] : ['by the resource manager'];
  if ((own & FORMAT_ONE) === 0) return speaker;
  const number = own >> 8;
  if ((own & PARAMETER) !== 0) return [`parameter ${number}`, ...speaker];
  if (number >= FIRST_SESSION) return [`session ${number - FIRST_SESSION}`, ...speaker];
  return [`handle ${number}`, ...speaker];
}
