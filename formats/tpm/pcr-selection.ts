import type { Result } from '../bytes/result.ts';
import type { TpmHash } from './algorithms.ts';
import { decode, type TpmFormatCode } from './decode.ts';
import { encode } from './encode.ts';
import { PCR_SELECTIONS } from './structures.ts';
import type { ValueOf } from './wire.ts';

/** TPML_PCR_SELECTION (part 2, 10.9.7): per bank a bit map. */
export type PcrSelection = ValueOf<typeof PCR_SELECTIONS>;

/** What the cluster publishes and a quote covers: one bank, indices ascending. */
export interface PcrBankSelection {
  readonly hash: TpmHash;
  readonly pcrs: readonly number[];
}

/** Reads a TPML_PCR_SELECTION that fills `bytes` exactly. */
export function decodePcrSelection(bytes: Uint8Array): Result<PcrSelection, TpmFormatCode> {
  return decode(PCR_SELECTIONS, bytes);
}

/** Bytes of a TPML_PCR_SELECTION. @throws RangeError for a value that does not fit its field */
export function encodePcrSelection(selection: PcrSelection): Uint8Array {
  return encode(PCR_SELECTIONS, selection);
}

/** The selection of some PCRs (0 to 23) of one bank, as a PC Client TPM writes it: three octets. */
export function selectPcrs(bank: PcrBankSelection): PcrSelection {
  const select = new Uint8Array(3);
  for (const pcr of bank.pcrs) {
    const octet = select[pcr >> 3];
    if (!Number.isInteger(pcr) || octet === undefined) throw new RangeError(`there is no PCR ${pcr}`);
    select[pcr >> 3] = octet | (1 << (pcr & 7));
  }
  return [{ hash: bank.hash, select }];
}

/** The banks with at least one PCR, in the order of the selection, each with its indices ascending. */
export function selectedPcrs(selection: PcrSelection): PcrBankSelection[] {
  return selection
    .map(({ hash, select }) => ({ hash, pcrs: setBits(select) }))
    .filter(({ pcrs }) => pcrs.length > 0);
}

function setBits(select: Uint8Array): number[] {
  const pcrs: number[] = [];
  for (let pcr = 0; pcr < 8 * select.length; pcr++)
    if (((select[pcr >> 3] ?? 0) >> (pcr & 7)) & 1) pcrs.push(pcr);
  return pcrs;
}
