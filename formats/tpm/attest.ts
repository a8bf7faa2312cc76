import type { Result } from '../bytes/result.ts';
import { decode, type TpmFormatCode } from './decode.ts';
import { encode } from './encode.ts';
import { ATTEST } from './structures.ts';
import type { ValueOf } from './wire.ts';

/**
 * TPMS_ATTEST (part 2, 10.12.12). `attested.kind` is its type: `quote`, `certify`, `creation` or `time`; the others
 * are refused. The magic TPM_GENERATED_VALUE is checked and is no part of the value.
 */
export type Attest = ValueOf<typeof ATTEST>;
export type QuoteInfo = Extract<Attest['attested'], { kind: 'quote' }>;

export function decodeAttest(bytes: Uint8Array): Result<Attest, TpmFormatCode> {
  return decode(ATTEST, bytes);
}

export function encodeAttest(attest: Attest): Uint8Array {
  return encode(ATTEST, attest);
}
