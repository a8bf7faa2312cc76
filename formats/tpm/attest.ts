import type { Result } from '../bytes/result.ts';
import { decode, type TpmFormatCode } from './decode.ts';
import { encode } from './encode.ts';
import { ATTEST, DATA, NAME } from './structures.ts';
import { rest, structure, u16, u32, type ValueOf } from './wire.ts';

/**
 * TPMS_ATTEST (part 2, 10.12.12). `attested.kind` is its type: `quote`, `certify`, `creation` or `time`; the others
 * are refused. The magic TPM_GENERATED_VALUE is checked and is no part of the value.
 */
export type Attest = ValueOf<typeof ATTEST>;
/** TPMS_QUOTE_INFO (part 2, 10.12.4): the PCR selection and the digest over their values. */
export type QuoteInfo = Extract<Attest['attested'], { kind: 'quote' }>;

/** Reads a TPMS_ATTEST (part 2, 10.12.12) that fills `bytes` exactly. */
export function decodeAttest(bytes: Uint8Array): Result<Attest, TpmFormatCode> {
  return decode(ATTEST, bytes);
}

/** As TPMS_ATTEST, whatever its magic and type say, and without what follows the extraData. */
const ATTEST_HEADER = structure('TPMS_ATTEST', '10.12.12', {
  magic: u32,
  type: u16,
  qualifiedSigner: NAME,
  extraData: DATA,
  following: rest(1024),
});

/** The first fields of bytes that `decodeAttest` refuses, so that it can be told which of them is wrong. */
export function decodeAttestHeader(bytes: Uint8Array): Result<ValueOf<typeof ATTEST_HEADER>, TpmFormatCode> {
  return decode(ATTEST_HEADER, bytes);
}

/**
 * Bytes of a TPMS_ATTEST: what `decodeAttest` reads back.
 * @throws RangeError for a value that does not fit its field
 */
export function encodeAttest(attest: Attest): Uint8Array {
  return encode(ATTEST, attest);
}
