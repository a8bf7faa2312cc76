import { Bundle } from '../../proto/gen/enclave_licensing/evidence/v1/bundle.ts';
import { type Result, refuse, success } from '../bytes/result.ts';
import { BLINDER_BYTES, MAX_BATCH_LEAVES } from './batch.ts';
import type { EvidenceCode } from './evidence-code.ts';
import { base64, integer, list, object, readJson, type Shape, text } from './json-shape.ts';
import { MAX_STATEMENT_BYTES } from './statement.ts';
import { type MessageRule, wireProblem } from './strict-wire.ts';

export type { Bundle };

/** Of a bundle's protobuf, event log included. */
export const MAX_BUNDLE_BYTES = 262_144;
/** Base64 and member names around MAX_BUNDLE_BYTES. */
export const MAX_BUNDLE_JSON_BYTES = 393_216;

const CERTIFICATES = { max: 8192, times: 4 } as const;
const STRUCTURE_BYTES = 1024;
const EVENT_LOG_BYTES = 131_072;
const HASH_BYTES = 32;
const PATH_LENGTH = 16;
const PCR_COUNT = 24;
/** TPM_ALG_ID of a bank to its digest's length (TPM 2.0 Library part 2, 6.3). */
const BANKS: ReadonlyMap<number, number> = new Map([
  [0x000b, 32],
  [0x000c, 48],
]);

const PCR_VALUE: MessageRule = new Map([
  [1, { kind: 'uint32', max: PCR_COUNT - 1 }],
  [2, { kind: 'bytes', max: 48 }],
]);
const PCR_VALUES: MessageRule = new Map([
  [1, { kind: 'uint32', max: 0xffff }],
  [2, { kind: 'message', max: 128, times: PCR_COUNT, fields: PCR_VALUE }],
]);
/** The bounds of bundle.proto's comments. */
export const BUNDLE_RULE: MessageRule = new Map([
  [1, { kind: 'bytes', ...CERTIFICATES }],
  [2, { kind: 'bytes', max: MAX_STATEMENT_BYTES }],
  [3, { kind: 'bytes', max: BLINDER_BYTES }],
  [4, { kind: 'uint32', max: MAX_BATCH_LEAVES - 1 }],
  [5, { kind: 'uint32', max: MAX_BATCH_LEAVES }],
  [6, { kind: 'bytes', max: HASH_BYTES, times: PATH_LENGTH }],
  [7, { kind: 'bytes', max: STRUCTURE_BYTES }],
  [8, { kind: 'bytes', max: STRUCTURE_BYTES }],
  [9, { kind: 'message', max: 2048, fields: PCR_VALUES }],
  [10, { kind: 'bytes', max: EVENT_LOG_BYTES }],
  [11, { kind: 'bytes', max: STRUCTURE_BYTES }],
  [12, { kind: 'bytes', ...CERTIFICATES }],
  [13, { kind: 'string', max: 261 }],
  [14, { kind: 'string', max: 253 }],
]);

function sized(bytes: Uint8Array, min: number, max: number): boolean {
  return bytes.length >= min && bytes.length <= max;
}

/** What is wrong with a bundle's shape, whatever made it; undefined when nothing is. No field is believed here. */
export function bundleProblem(bundle: Bundle): string | undefined {
  const {
    certificateChain,
    attestationKeyCertificateChain: akChain,
    pcrValues,
    leafIndex,
    leafCount,
  } = bundle;
  const certificate = (der: Uint8Array) => sized(der, 1, CERTIFICATES.max);
  if (certificateChain.length > CERTIFICATES.times || !certificateChain.every(certificate))
    return 'certificate_chain: at most 4 certificates of at most 8 KiB';
  if (!sized(bundle.statement, 1, MAX_STATEMENT_BYTES)) return 'statement: 1 byte to 16 KiB';
  if (bundle.blinder.length !== BLINDER_BYTES) return 'blinder: 32 bytes';
  if (!Number.isInteger(leafCount) || leafCount < 1 || leafCount > MAX_BATCH_LEAVES)
    return 'leaf_count: 1 to 65,536';
  // Whether index, count and path belong together is the proof's question, not the shape's.
  if (!Number.isInteger(leafIndex) || leafIndex < 0 || leafIndex >= MAX_BATCH_LEAVES)
    return 'leaf_index: 0 to 65,535';
  if (bundle.path.length > PATH_LENGTH) return 'path: at most 16 hashes';
  if (!bundle.path.every((hash) => hash.length === HASH_BYTES)) return 'path: hashes of 32 bytes';
  if (!sized(bundle.attest, 1, STRUCTURE_BYTES)) return 'attest: 1 byte to 1 KiB';
  if (!sized(bundle.signature, 1, STRUCTURE_BYTES)) return 'signature: 1 byte to 1 KiB';
  if (!sized(bundle.attestationKeyPublic, 1, STRUCTURE_BYTES))
    return 'attestation_key_public: 1 byte to 1 KiB';
  if (!sized(bundle.eventLog, 0, EVENT_LOG_BYTES)) return 'event_log: at most 128 KiB';
  if (akChain.length < 1 || akChain.length > CERTIFICATES.times || !akChain.every(certificate))
    return 'attestation_key_certificate_chain: 1 to 4 certificates of at most 8 KiB';
  if (!/^[\x21-\x7e]{0,261}$/.test(bundle.endpoint)) return 'endpoint: at most 261 visible characters';
  if (!/^[\x21-\x7e]{0,253}$/.test(bundle.serverName)) return 'server_name: at most 253 visible characters';
  return pcrProblem(pcrValues);
}

function pcrProblem(pcrValues: Bundle['pcrValues']): string | undefined {
  const length = pcrValues && BANKS.get(pcrValues.hashAlgorithm);
  if (!pcrValues || length === undefined) return 'pcr_values: a bank of SHA-256 or SHA-384';
  if (pcrValues.values.length < 1 || pcrValues.values.length > PCR_COUNT) return 'pcr_values: 1 to 24 values';
  let previous = -1;
  for (const { index, digest } of pcrValues.values) {
    if (!Number.isInteger(index) || index <= previous || index >= PCR_COUNT)
      return 'pcr_values: ascending, 0 to 23';
    if (digest.length !== length) return `pcr_values: digests of ${length} bytes`;
    previous = index;
  }
  return undefined;
}

function shaped(bundle: Bundle): Result<Bundle, EvidenceCode> {
  const problem = bundleProblem(bundle);
  if (problem === undefined) return success(bundle);
  return refuse('evidence-out-of-bounds', `bundle: ${problem}`, 'ask for fresh evidence');
}

/** Protobuf of a bundle. */
export function encodeBundle(bundle: Bundle): Uint8Array {
  return Bundle.encode(bundle).finish();
}

/** Reads a bundle strictly (`wireProblem`, then `bundleProblem`). What is read re-encodes to the same bytes. */
export function decodeBundle(bytes: Uint8Array): Result<Bundle, EvidenceCode> {
  if (bytes.length > MAX_BUNDLE_BYTES)
    return refuse(
      'evidence-too-large',
      `bundle of ${bytes.length} bytes`,
      `send at most ${MAX_BUNDLE_BYTES}`,
    );
  const problem = wireProblem(bytes, BUNDLE_RULE);
  if (problem !== undefined)
    return refuse('evidence-malformed', `bundle: ${problem}`, 'ask for fresh evidence');
  return shaped(Bundle.decode(bytes));
}

const CERTIFICATE_JSON = base64(1, CERTIFICATES.max);
const STRUCTURE_JSON = base64(1, STRUCTURE_BYTES);
const VISIBLE = (max: number) => text(/^[\x21-\x7e]+$/, max, `1 to ${max} visible characters`);
const BUNDLE_JSON = object(
  {
    statement: base64(1, MAX_STATEMENT_BYTES),
    blinder: base64(BLINDER_BYTES, BLINDER_BYTES),
    leafCount: integer(1, MAX_BATCH_LEAVES),
    attest: STRUCTURE_JSON,
    signature: STRUCTURE_JSON,
    pcrValues: object({
      hashAlgorithm: integer(1, 0xffff),
      values: list(object({ digest: base64(1, 48) }, { index: integer(1, PCR_COUNT - 1) }), 1, PCR_COUNT),
    }),
    attestationKeyPublic: STRUCTURE_JSON,
    attestationKeyCertificateChain: list(CERTIFICATE_JSON, 1, CERTIFICATES.times),
  },
  {
    certificateChain: list(CERTIFICATE_JSON, 1, CERTIFICATES.times),
    leafIndex: integer(1, MAX_BATCH_LEAVES - 1),
    path: list(base64(HASH_BYTES, HASH_BYTES), 1, PATH_LENGTH),
    eventLog: base64(1, EVENT_LOG_BYTES),
    endpoint: VISIBLE(261),
    serverName: VISIBLE(253),
  },
) satisfies Shape<unknown>;

/** proto3 JSON of a bundle: lowerCamelCase members, padded base64, defaults left out. */
export function bundleToJson(bundle: Bundle): string {
  return JSON.stringify(Bundle.toJSON(bundle));
}

/**
 * Reads the proto3 JSON that `bundleToJson` writes, and no other form of it: unknown and duplicate members, other
 * base64, numbers as text and defaults that are written out are refused.
 */
export function bundleFromJson(json: string | Uint8Array): Result<Bundle, EvidenceCode> {
  const read = readJson(json, BUNDLE_JSON, { maxBytes: MAX_BUNDLE_JSON_BYTES, maxDepth: 5 }, 'the bundle');
  if (!read.ok) return read;
  const { pcrValues, ...fields } = read.value;
  return shaped({
    certificateChain: [],
    leafIndex: 0,
    path: [],
    eventLog: new Uint8Array(0),
    endpoint: '',
    serverName: '',
    ...fields,
    pcrValues: {
      hashAlgorithm: pcrValues.hashAlgorithm,
      values: pcrValues.values.map(({ index = 0, digest }) => ({ index, digest })),
    },
  });
}
