import { PCR_READ, QUOTE } from '../formats/tpm/commands.ts';
import { type PcrBankSelection, selectedPcrs, selectPcrs } from '../formats/tpm/pcr-selection.ts';
import { encodeSignature } from '../formats/tpm/signature.ts';
import type { TpmExecutor } from './executor.ts';

export interface PcrValue {
  readonly index: number;
  readonly digest: Uint8Array;
}

/** Reads PCRs of one bank, ascending. TPM2_PCR_Read (part 3, 22.4) gives at most eight at once. */
export async function readPcrs(tpm: TpmExecutor, selection: PcrBankSelection): Promise<PcrValue[]> {
  const wanted = new Set(selection.pcrs);
  const values: PcrValue[] = [];
  while (wanted.size > 0) {
    const { pcrSelectionOut, pcrValues } = await tpm.execute(PCR_READ, {
      pcrSelectionIn: selectPcrs({ hash: selection.hash, pcrs: [...wanted] }),
    });
    const read = selectedPcrs(pcrSelectionOut)[0]?.pcrs ?? [];
    if (read.length === 0 || read.length !== pcrValues.length)
      throw new Error(`the TPM has no ${selection.hash} bank with PCRs ${[...wanted].join(', ')}`);
    read.forEach((index, i) => {
      const digest = pcrValues[i];
      if (digest !== undefined) values.push({ index, digest });
      wanted.delete(index);
    });
  }
  return values.sort((a, b) => a.index - b.index);
}

export interface TpmQuote {
  /** TPMS_ATTEST. */
  readonly attest: Uint8Array;
  /** TPMT_SIGNATURE. */
  readonly signature: Uint8Array;
}

/** TPM2_Quote (part 3, 18.4) with the key's own scheme. */
export async function quote(
  tpm: TpmExecutor,
  signHandle: number,
  qualifyingData: Uint8Array,
  selection: PcrBankSelection,
): Promise<TpmQuote> {
  const { quoted, signature } = await tpm.execute(QUOTE, {
    signHandle,
    qualifyingData,
    inScheme: { kind: 'null' },
    pcrSelect: selectPcrs(selection),
  });
  return { attest: quoted, signature: encodeSignature(signature) };
}
