import { concat, toHex } from '../../../formats/bytes/bytes.ts';
import type { Bundle } from '../../../formats/evidence/bundle.ts';
import { HASHES } from '../../../formats/tpm/algorithms.ts';
import type { PcrPolicy, Policy } from '../../../verify/policy/policy.ts';
import type { TpmSeen } from '../../../verify/verdict.ts';
import type { Changes } from '../evidence.ts';
import { bad, clock, context, type Forgeries, good, policy, sha256, sha256Hex } from '../forgery.ts';

const PCRS = [0, 1, 2, 3, 4, 5, 6, 7];
const measured = (pcr: number) => sha256(Uint8Array.of(pcr));
const zeros = () => new Uint8Array(32);
const set = (
  name: string,
  digestOf: (pcr: number) => Uint8Array,
  pcrs = PCRS,
): PcrPolicy['sets'][number] => ({
  name,
  values: new Map(pcrs.map((pcr) => [pcr, [toHex(digestOf(pcr))]])),
});
const sets = (...all: PcrPolicy['sets']): Changes =>
  policy({ pcrs: { hash: 'sha256', sets: all } } satisfies Partial<Policy>);
const otherSelection = (changes: Changes) => bad('pcr-selection', 'pcr-selection-differs', changes);
/** As a verifier that knows no selection of the cluster. */
const alone = (changes: Changes) => otherSelection({ ...changes, ...context({ pcrSelection: undefined }) });
const resettable = (pcr: number) =>
  bad('pcr-selection', 'pcr-resettable', { pcrs: { hash: 'sha256', pcrs: [...PCRS, pcr] } });
const shown = (change: (values: NonNullable<Bundle['pcrValues']>) => Bundle['pcrValues']): Changes => ({
  bundle: (b) => ({ ...b, pcrValues: b.pcrValues && change(b.pcrValues) }),
});
/** A second bank in the selection, its PCRs by a bit map; the digest covers the values of both. */
const secondBank = (select: Uint8Array): Changes => ({
  attest: (a) =>
    a.attested.kind === 'quote'
      ? {
          ...a,
          attested: {
            ...a.attested,
            pcrSelect: [...a.attested.pcrSelect, { hash: 'sha384', select }],
            pcrDigest: sha256(concat(...PCRS.map(measured), select)),
          },
        }
      : a,
});
const seen = (part: Partial<TpmSeen>): Changes => ({
  context: (c) => ({ ...c, seen: (c.seen ?? []).map((each) => ({ ...each, ...part })) }),
});
const wentBack = (changes: Changes) => bad('clock', 'clock-went-back', changes);
const unsafe = (changes: Changes) => bad('clock', 'clock-unsafe', changes);

/** What the node booted, and the order of its TPM's counters. */
export const FORGED_STATE: Forgeries = {
  'good-pcr-values': good(sets(set('firmware 1', measured))),
  'good-pcr-values-of-the-second-set': good(sets(set('firmware 1', zeros), set('firmware 2', measured))),
  'good-unsafe-clock-after-reset': good(clock({ safe: false, resetCount: 8, restartCount: 0, clock: 1n })),
  'good-clock-lower-after-reset': good(clock({ resetCount: 8, restartCount: 0, clock: 1n })),
  'good-node-never-seen': good(context({ seen: [] })),
  'good-without-the-cluster-s-selection': good(context({ pcrSelection: undefined })),
  'good-pcr-values-without-the-cluster-s-selection': good({
    ...sets(set('firmware 1', measured)),
    ...context({ pcrSelection: undefined }),
  }),
  'good-no-nonce': good(context({ nonce: 'unchecked' })),

  'pcr-subset': otherSelection({ pcrs: { hash: 'sha256', pcrs: PCRS.slice(0, 7) } }),
  'pcr-superset': otherSelection({ pcrs: { hash: 'sha256', pcrs: [...PCRS, 8] } }),
  'pcr-none': otherSelection({
    attest: (a) =>
      a.attested.kind === 'quote'
        ? { ...a, attested: { ...a.attested, pcrSelect: [], pcrDigest: sha256(zeros()) } }
        : a,
  }),
  'pcr-other-bank': otherSelection({ pcrs: { hash: 'sha384', pcrs: PCRS } }),
  'pcr-bank-of-sha-1': otherSelection({
    attest: (a) =>
      a.attested.kind === 'quote'
        ? {
            ...a,
            attested: { ...a.attested, pcrSelect: [{ hash: 'sha1', select: Uint8Array.of(0xff, 0, 0) }] },
          }
        : a,
  }),
  'pcr-two-banks': otherSelection(secondBank(Uint8Array.of(0xff, 0, 0))),
  'pcr-two-banks-the-second-empty': otherSelection(secondBank(new Uint8Array(3))),
  'pcr-selection-not-the-policy-s': otherSelection(sets(set('firmware 1', measured, PCRS.slice(0, 5)))),
  'pcr-superset-of-the-policy-s': alone({
    ...sets(set('firmware 1', measured, PCRS.slice(0, 7))),
  }),
  'pcr-subset-of-the-policy-s': alone(sets(set('firmware 1', measured, [...PCRS, 8]))),
  'pcr-others-than-the-policy-s': alone(sets(set('firmware 1', measured, [...PCRS.slice(1), 8]))),
  'pcr-bank-not-the-policy-s': alone({
    pcrs: { hash: 'sha384', pcrs: PCRS },
    ...sets(set('firmware 1', measured)),
  }),
  'pcr-value-missing': otherSelection(shown((v) => ({ ...v, values: v.values.slice(1) }))),
  'pcr-value-too-many': otherSelection(
    shown((v) => ({ ...v, values: [...v.values, { index: 8, digest: zeros() }] })),
  ),
  'pcr-values-of-another-bank': otherSelection(
    shown((v) => ({
      hashAlgorithm: HASHES.sha384,
      values: v.values.map(({ index, digest }) => ({ index, digest: concat(digest, new Uint8Array(16)) })),
    })),
  ),
  'pcr-16': resettable(16),
  'pcr-17': resettable(17),
  'pcr-23': resettable(23),
  'pcr-value-changed': bad(
    'pcr-digest',
    'pcr-digest-differs',
    shown((v) => ({
      ...v,
      values: v.values.map((each) => (each.index === 4 ? { ...each, digest: zeros() } : each)),
    })),
  ),
  'pcr-values-swapped': bad(
    'pcr-digest',
    'pcr-digest-differs',
    shown((v) => {
      const digests = v.values.map(({ digest }) => digest).toReversed();
      return { ...v, values: v.values.map(({ index }, i) => ({ index, digest: digests[i] ?? zeros() })) };
    }),
  ),
  'pcr-values-of-other-firmware': bad('pcr-values', 'pcr-values-refused', sets(set('firmware 1', zeros))),
  'pcr-values-half-of-each-set': bad(
    'pcr-values',
    'pcr-values-refused',
    sets(
      set('firmware 1', (pcr) => (pcr < 4 ? measured(pcr) : zeros())),
      set('firmware 2', (pcr) => (pcr < 4 ? zeros() : measured(pcr))),
    ),
  ),

  'another-tpm-for-the-node': bad('known-tpm', 'node-other-tpm', seen({ ekSha256: sha256Hex('other') })),
  'tpm-of-another-node': bad('known-tpm', 'node-other-tpm', seen({ node: 'node-2' })),
  'reset-count-went-back': wentBack(clock({ resetCount: 6, restartCount: 9, clock: 9_000_000n })),
  'restart-count-went-back': wentBack(clock({ restartCount: 0, clock: 9_000_000n })),
  'clock-went-back': wentBack(clock({ clock: 899_999n })),
  'clock-behind-what-the-other-key-showed': wentBack({
    context: (c) => ({
      ...c,
      seen: (c.seen ?? []).flatMap((each) => [
        { ...each, akName: '000b01' },
        { ...each, akName: '000b02', clock: 1_000_001 },
      ]),
    }),
  }),
  'clock-that-no-number-holds': wentBack(clock({ clock: 1n << 53n })),
  'unsafe-clock-without-reset': unsafe(clock({ safe: false })),
  'unsafe-clock-of-a-node-never-seen': unsafe({ ...clock({ safe: false }), ...context({ seen: [] }) }),
  'unsafe-clock-after-reset-without-nonce': unsafe({
    ...clock({ safe: false, resetCount: 8 }),
    ...context({ nonce: 'unchecked' }),
  }),
};
