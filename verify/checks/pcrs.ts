import { concat, equal, toHex } from '../../formats/bytes/bytes.ts';
import type { Crypto } from '../../formats/crypto/crypto.ts';
import type { Bundle } from '../../formats/evidence/bundle.ts';
import type { PcrSelection } from '../../formats/evidence/trust-document.ts';
import { HASHES } from '../../formats/tpm/algorithms.ts';
import { selectedPcrs } from '../../formats/tpm/pcr-selection.ts';
import { fails, holds, notRun, type Outcome } from '../check-log.ts';
import { accepts, type Policy } from '../policy/policy.ts';
import type { Quote } from './quote-signature.ts';

/** PCRs from here on can be reset by software after boot (TCG PC Client Platform TPM Profile, 4.6): 16, 23 and the DRTM's. */
const FIRST_RESETTABLE = 16;

function written(selections: readonly { hash: string; pcrs: readonly number[] }[]): string {
  return selections.map(({ hash, pcrs }) => `${hash}:${pcrs.join(',')}`).join('+');
}

/**
 * The quote selects one bank of SHA-256 or SHA-384, the PCRs that cluster and policy name and no other, none of them
 * resettable; the values shown are of exactly this selection.
 */
export function checkPcrSelection(
  bundle: Bundle,
  quote: Quote,
  policy: Policy,
  cluster: PcrSelection | undefined,
): Outcome<PcrSelection> {
  const wanted = [...(cluster ? [cluster] : []), ...policySelections(policy)].map((each) => written([each]));
  const expected =
    wanted.length === 0 ? 'one bank of SHA-256 or SHA-384' : [...new Set(wanted)].join(' and ');
  const banks = selectedPcrs(quote.info.pcrSelect);
  const empty = quote.info.pcrSelect.length - banks.length;
  const actual = [written(banks) || 'none', ...(empty > 0 ? [`a bank without PCRs`] : [])].join('+');
  const no = () => fails('pcr-selection-differs', expected, actual);
  const [bank, ...others] = banks;
  // An empty second bank would be invisible in the text: the signed list itself has exactly one entry.
  if (!bank || others.length > 0 || quote.info.pcrSelect.length !== 1) return no();
  const { hash, pcrs } = bank;
  if (hash !== 'sha256' && hash !== 'sha384') return no();
  if (pcrs.some((pcr) => pcr >= FIRST_RESETTABLE))
    return fails('pcr-resettable', `PCRs below ${FIRST_RESETTABLE}`, actual);
  if (wanted.some((each) => each !== actual)) return no();
  const shown = bundle.pcrValues;
  const values = shown?.values.map(({ index }) => index) ?? [];
  if (shown?.hashAlgorithm !== HASHES[hash] || values.join() !== pcrs.join())
    return fails(
      'pcr-selection-differs',
      `values of ${actual}`,
      `values of ${bankName(shown)}:${values.join()}`,
    );
  return holds({ hash, pcrs }, expected, actual);
}

function bankName(shown: Bundle['pcrValues']): string {
  return Object.entries(HASHES).find(([, value]) => value === shown?.hashAlgorithm)?.[0] ?? 'no bank';
}

/** The selection that a policy with PCR values implies: each of its sets names every PCR. */
function policySelections({ pcrs }: Policy): PcrSelection[] {
  return pcrs === 'any'
    ? []
    : pcrs.sets.map((set) => ({ hash: pcrs.hash, pcrs: [...set.values.keys()].sort((a, b) => a - b) }));
}

/** pcrDigest is the hash (by the signature's algorithm, TPM 2.0 Library part 3, 18.4) of the values shown. */
export function checkPcrDigest(bundle: Bundle, quote: Quote, crypto: Crypto): Outcome<undefined> {
  const { hash } = quote.signature;
  if (hash !== 'sha256' && hash !== 'sha384') return fails('pcr-digest-differs', 'SHA-256 or SHA-384', hash);
  const values = bundle.pcrValues?.values.map(({ digest }) => digest) ?? [];
  const shown = crypto.hash(hash, concat(...values));
  const { pcrDigest } = quote.info;
  return equal(shown, pcrDigest)
    ? holds(undefined, toHex(pcrDigest))
    : fails('pcr-digest-differs', toHex(pcrDigest), toHex(shown));
}

/** The values are those of one of the policy's sets, whole. */
export function checkPcrValues(bundle: Bundle, { pcrs }: Policy): Outcome<undefined> {
  const shown = bundle.pcrValues?.values ?? [];
  if (pcrs === 'any')
    return notRun(undefined, 'any', `${shown.length} values`, 'the policy accepts any PCR values');
  const wrongIn = (values: (typeof pcrs.sets)[number]['values']) =>
    shown
      .filter(({ index, digest }) => !accepts(values.get(index) ?? [], toHex(digest)))
      .map(({ index }) => index);
  const results = pcrs.sets.map(({ name, values }) => ({ name, wrong: wrongIn(values) }));
  const expected = `one of the sets ${results.map(({ name }) => name).join(', ')}`;
  const fitting = results.find(({ wrong }) => wrong.length === 0);
  if (fitting) return holds(undefined, expected, fitting.name);
  return fails(
    'pcr-values-refused',
    expected,
    results.map(({ name, wrong }) => `${name}: PCR ${wrong.join(', ')} differs`).join('; '),
  );
}
