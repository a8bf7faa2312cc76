import { equal, toHex } from '../../formats/bytes/bytes.ts';
import { Writer } from '../../formats/bytes/writer.ts';
import type { Bundle } from '../../formats/evidence/bundle.ts';
import type { PcrSelection } from '../../formats/evidence/trust-document.ts';
import { HASHES } from '../../formats/tpm/algorithms.ts';
import { selectedPcrs } from '../../formats/tpm/pcr-selection.ts';
import { fails, holds, notRun, type Outcome } from '../check-log.ts';
import type { EvidenceContext } from '../context.ts';
import { accepts, type Policy } from '../policy/policy.ts';
import { sameItems } from '../same-items.ts';
import type { Quote } from './quote-signature.ts';

/** PCRs from here on can be reset by software after boot (TCG PC Client Platform TPM Profile, 4.6): 16, 23 and the DRTM's. */
const FIRST_RESETTABLE = 16;
const ANY_SELECTION = 'one bank of SHA-256 or SHA-384';
const input = new Writer();

function written(hash: string, pcrs: readonly number[]): string {
  return `${hash}:${pcrs.join(',')}`;
}

/**
 * The quote selects one bank of SHA-256 or SHA-384, the PCRs that cluster and policy name and no other, none of them
 * resettable; the values shown are of exactly this selection.
 */
export function checkPcrSelection(
  bundle: Bundle,
  quote: Quote,
  { pcrs: policy }: Policy,
  cluster: PcrSelection | undefined,
): Outcome<PcrSelection> {
  const banks = selectedPcrs(quote.info.pcrSelect);
  const empty = quote.info.pcrSelect.length - banks.length;
  const actual = () => {
    const named = banks.map((each) => written(each.hash, each.pcrs)).join('+') || 'none';
    return empty > 0 ? `${named}+a bank without PCRs` : named;
  };
  const sets = policy === 'any' ? [] : policy.sets;
  const no = () => fails('pcr-selection-differs', wantedSelections(policy, cluster), actual());
  const [bank] = banks;
  // An empty second bank would be invisible in the text: the signed list itself has exactly one entry.
  if (!bank || quote.info.pcrSelect.length !== 1) return no();
  const { hash, pcrs } = bank;
  if (hash !== 'sha256' && hash !== 'sha384') return no();
  if (pcrs.some((pcr) => pcr >= FIRST_RESETTABLE))
    return fails('pcr-resettable', `PCRs below ${FIRST_RESETTABLE}`, actual());
  if (cluster && (cluster.hash !== hash || !sameItems(cluster.pcrs, pcrs))) return no();
  if (policy !== 'any' && policy.hash !== hash) return no();
  // Each set of a policy names every PCR of the selection.
  if (sets.some(({ values }) => values.size !== pcrs.length || !pcrs.every((pcr) => values.has(pcr))))
    return no();
  const shown = bundle.pcrValues;
  const values = shown?.values.map(({ index }) => index) ?? [];
  if (shown?.hashAlgorithm !== HASHES[hash] || !sameItems(values, pcrs))
    return fails(
      'pcr-selection-differs',
      `values of ${actual()}`,
      `values of ${bankName(shown)}:${values.join()}`,
    );
  return holds({ hash, pcrs }, cluster || policy !== 'any' ? actual : ANY_SELECTION, actual);
}

function bankName(shown: Bundle['pcrValues']): string {
  return Object.entries(HASHES).find(([, value]) => value === shown?.hashAlgorithm)?.[0] ?? 'no bank';
}

/** What cluster and policy ask for, for a line that says that the quote has something else. */
function wantedSelections(policy: Policy['pcrs'], cluster: PcrSelection | undefined): string {
  const texts = cluster ? [written(cluster.hash, cluster.pcrs)] : [];
  if (policy !== 'any')
    for (const { values } of policy.sets)
      texts.push(
        written(
          policy.hash,
          [...values.keys()].sort((a, b) => a - b),
        ),
      );
  return [...new Set(texts)].join(' and ') || ANY_SELECTION;
}

/** pcrDigest is the hash (by the signature's algorithm, TPM 2.0 Library part 3, 18.4) of the values shown. */
export function checkPcrDigest(
  bundle: Bundle,
  quote: Quote,
  { crypto, cache }: EvidenceContext,
): Outcome<undefined> {
  const { hash } = quote.signature;
  if (hash !== 'sha256' && hash !== 'sha384') return fails('pcr-digest-differs', 'SHA-256 or SHA-384', hash);
  const { pcrDigest } = quote.info;
  const values = bundle.pcrValues?.values ?? [];
  // A node's values are the same until it boots again, and what was hashed to this digest once always is.
  if (cache?.hadPcrDigest(hash, pcrDigest, values)) return holds(undefined, pcrDigest);
  input.reset();
  for (const { digest } of values) input.bytes(digest);
  const shown = crypto.hash(hash, input.view());
  if (!equal(shown, pcrDigest)) return fails('pcr-digest-differs', toHex(pcrDigest), toHex(shown));
  cache?.keepPcrDigest(hash, pcrDigest, values);
  return holds(undefined, pcrDigest);
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
