import { HASHES } from './algorithms.ts';
import { type PcrBankSelection, selectPcrs } from './pcr-selection.ts';

// tpm2-tools (5.x) does not marshal this file: it writes the C structures of tpm2-tss as they lie in memory of a
// little-endian machine, array bounds and padding included.
const BANKS = 16;
const BANK_SIZE = 8;
const DIGESTS = 8;
const DIGEST_SIZE = 2 + 64;

/**
 * The file of PCR values that `tpm2_quote --pcr` writes and `tpm2_checkquote --pcr` reads: a TPML_PCR_SELECTION, a count,
 * and TPML_DIGESTs of up to eight.
 * @param digests of the selected PCRs, ascending
 */
export function tpm2ToolsPcrs(selection: PcrBankSelection, digests: readonly Uint8Array[]): Uint8Array {
  if (digests.length !== selection.pcrs.length) throw new RangeError('a digest for each PCR');
  const lists = Math.ceil(digests.length / DIGESTS);
  const bytes = new Uint8Array(4 + BANKS * BANK_SIZE + 4 + lists * (4 + DIGESTS * DIGEST_SIZE));
  const view = new DataView(bytes.buffer);
  const select = selectPcrs(selection)[0]?.select ?? new Uint8Array();
  view.setUint32(0, 1, true);
  view.setUint16(4, HASHES[selection.hash], true);
  view.setUint8(6, select.length);
  bytes.set(select, 7);
  let at = 4 + BANKS * BANK_SIZE;
  view.setUint32(at, lists, true);
  at += 4;
  for (let list = 0; list < lists; list++) {
    const part = digests.slice(list * DIGESTS, (list + 1) * DIGESTS);
    view.setUint32(at, part.length, true);
    part.forEach((digest, i) => {
      const start = at + 4 + i * DIGEST_SIZE;
      view.setUint16(start, digest.length, true);
      bytes.set(digest, start + 2);
    });
    at += 4 + DIGESTS * DIGEST_SIZE;
  }
  return bytes;
}
