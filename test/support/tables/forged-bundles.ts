import { concat, toUtf8 } from '../../../formats/bytes/bytes.ts';
import { Writer } from '../../../formats/bytes/writer.ts';
import { batchTree, qualifyingData } from '../../../formats/evidence/batch.ts';
import type { Bundle } from '../../../formats/evidence/bundle.ts';
import { encodePem } from '../../../formats/x509/pem.ts';
import { nodeCrypto } from '../../../platform/crypto/node-crypto.ts';
import { type Changes, fixture } from '../evidence.ts';
import { fixtureCertificate } from '../fixture-certificates.ts';
import { ecKey } from '../fixture-keys.ts';
import { bad, context, type Forgeries, good, sha256, without } from '../forgery.ts';

const bundle = (part: (b: Bundle) => Partial<Bundle>): Changes => ({ bundle: (b) => ({ ...b, ...part(b) }) });
const misshapen = (part: (b: Bundle) => Partial<Bundle>) =>
  bad('bundle-shape', 'bundle-malformed', bundle(part));
const unproved = (part: (b: Bundle) => Partial<Bundle>) => bad('batch-proof', 'batch-proof', bundle(part));
const otherBatch = (changes: Changes) => bad('qualifying-data', 'qualifying-data-differs', changes);

const [CERTIFICATE = new Uint8Array()] = fixture().bundle.certificateChain;
const pemHash = (der: Uint8Array) => sha256(toUtf8(encodePem('CERTIFICATE', der)));

/** Four leaves, two inner nodes: the quote covers this tree, and both inner nodes are known to everybody in the batch. */
const leaf = (i: number) => sha256(new Writer().u32(i).finish());
const inner = (left: Uint8Array, right: Uint8Array) => sha256(concat(Uint8Array.of(1), left, right));

/** Shape of the bundle, the connection it came over, and the batch proof. */
export const FORGED_BUNDLES: Forgeries = {
  'blinder-short': misshapen((b) => ({ blinder: b.blinder.slice(1) })),
  'certificate-missing': misshapen(() => ({ certificateChain: [] })),
  'certificate-chain-of-five': misshapen((b) => ({
    certificateChain: [1, 2, 3, 4, 5].flatMap(() => b.certificateChain),
  })),
  'key-certificate-missing': misshapen(() => ({ attestationKeyCertificateChain: [] })),
  'key-certificate-chain-of-five': misshapen((b) => ({
    attestationKeyCertificateChain: [1, 2, 3, 4, 5].flatMap(() => b.attestationKeyCertificateChain),
  })),
  'signature-missing': misshapen(() => ({ signature: new Uint8Array(0) })),
  'statement-over-its-bound': misshapen(() => ({ statement: new Uint8Array(16_385).fill(0x20) })),
  'path-of-seventeen': misshapen((b) => ({ path: Array.from({ length: 17 }, () => b.blinder) })),
  'count-of-none': misshapen(() => ({ leafCount: 0 })),
  'pcr-values-missing': misshapen(() => ({ pcrValues: undefined })),
  'pcr-values-out-of-order': misshapen((b) => ({
    pcrValues: b.pcrValues && { ...b.pcrValues, values: b.pcrValues.values.toReversed() },
  })),

  'certificate-swapped-after-verification': bad(
    'live-certificate',
    'live-certificate-differs',
    context({ liveCertificate: fixtureCertificate('enclaves', { spki: ecKey('attacker').spki }) }),
  ),
  // Node shows an empty certificate, or none, on a resumed session: a client that passes that on is refused.
  'tls-session-resumed': bad(
    'live-certificate',
    'live-certificate-differs',
    context({ liveCertificate: new Uint8Array(0) }),
  ),

  'good-without-connection': good(without('liveCertificate')),

  'path-too-short': unproved((b) => ({ path: b.path.slice(1) })),
  'path-too-long': unproved((b) => ({ path: [...b.path, b.blinder] })),
  'index-beyond-count': unproved(() => ({ leafIndex: 3 })),
  'index-is-the-count-of-one': bad('batch-proof', 'batch-proof', {
    neighbours: 0,
    index: 0,
    ...bundle(() => ({ leafIndex: 1 })),
  }),
  'path-of-another-leaf': otherBatch(bundle((b) => ({ path: b.path.toReversed() }))),
  'index-of-a-neighbour': otherBatch({
    neighbours: 3,
    index: 1,
    ...bundle(() => ({ leafIndex: 0 })),
  }),
  'count-of-another-batch': otherBatch(bundle(() => ({ leafCount: 4 }))),
  'blinder-of-another-leaf': otherBatch(bundle((b) => ({ blinder: sha256(b.blinder) }))),
  'leaf-used-as-node': otherBatch({
    neighbours: 1,
    index: 0,
    ...bundle(() => ({ leafCount: 1, path: [] })),
  }),
  // What a tree without separate prefixes would take for a leaf: the two leaves below an inner node.
  'node-used-as-leaf': otherBatch({
    qualifyingData: () => qualifyingData(nodeCrypto, 4, batchTree(nodeCrypto, [0, 1, 2, 3].map(leaf)).root),
    ...bundle(() => ({
      statement: concat(Uint8Array.of(1), leaf(0), leaf(1)),
      leafIndex: 0,
      leafCount: 2,
      path: [inner(leaf(2), leaf(3))],
    })),
  }),
  'extra-data-prefix': otherBatch({ qualifyingData: (q) => q.slice(0, 31) }),
  'extra-data-padded': otherBatch({ qualifyingData: (q) => concat(q, Uint8Array.of(0)) }),
  'extra-data-empty': otherBatch({ qualifyingData: () => new Uint8Array(0) }),
  // Common mistakes: the hash of the PEM text, or of the certificate, in place of the batch.
  'extra-data-of-the-pem': otherBatch({ qualifyingData: () => pemHash(CERTIFICATE) }),
  'extra-data-of-the-certificate': otherBatch({ qualifyingData: () => sha256(CERTIFICATE) }),
  'statement-bit': otherBatch(
    bundle((b) => ({ statement: b.statement.map((byte, i) => (i === 20 ? byte ^ 1 : byte)) })),
  ),
};
