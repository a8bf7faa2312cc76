/**
 * What verifying a bundle costs, as multiples of one P-256 verification: a bare call of node:crypto with a key that is
 * ready, in the same run, alternating in short slices. Design budgets: 1.25x with a new quote, 0.25x with a known one,
 * and 1.25x of the verifications that a new certificate needs.
 */
import { createPublicKey, verify as verifySignature } from 'node:crypto';
import { toUtf8 } from '../formats/bytes/bytes.ts';
import { batchTree, leafHash, qualifyingData } from '../formats/evidence/batch.ts';
import { nodeCrypto } from '../platform/crypto/node-crypto.ts';
import { type Changes, type Fixture, fixture } from '../test/support/evidence.ts';
import { ecKey, type FixtureTpmKey } from '../test/support/fixture-keys.ts';
import { rsaKey } from '../test/support/fixture-rsa-key.ts';
import { verify } from '../verify/verify.ts';
import { VerifyCache } from '../verify/verify-cache.ts';
import { alternate, median } from './figures.ts';

const REPEATS = 5;
const SLICES = 96;
const SLICE_CALLS = 4;
/** Bundles that differ, and how often a run goes around them. */
const BUNDLES = 128;
const WARM_UP = 2048;
const LAPS = Math.ceil(((SLICES + 1) * SLICE_CALLS) / BUNDLES);

const KINDS: Readonly<Record<string, () => FixtureTpmKey>> = {
  'P-256': () => ecKey('ak'),
  'P-384': () => ecKey('ak', 'p384', 'sha384'),
  'RSA 2048': () => rsaKey('2048'),
  'RSA 3072': () => rsaKey('3072'),
  'RSA 4096': () => rsaKey('4096'),
};

/** Bundles of one key, each with a statement and a quote of its own, or with what `changes` makes different. */
function bundles(ak: FixtureTpmKey, changes: (i: number) => Changes = () => ({})): Fixture[] {
  return Array.from({ length: BUNDLES }, (_, i) =>
    fixture({
      ak,
      statement: (statement) => ({ ...statement, iat: statement.iat - i }),
      policy: (policy) => ({ ...policy, maxAge: 2 * BUNDLES }),
      ...changes(i),
    }),
  );
}

/** The same statements as leaves of one batch, so that all have one quote. */
function oneBatch(ak: FixtureTpmKey): Fixture[] {
  const leaves = bundles(ak).map(({ bundle }) => leafHash(nodeCrypto, bundle.statement, bundle.blinder));
  const tree = batchTree(nodeCrypto, leaves);
  return bundles(ak, (leafIndex) => ({
    qualifyingData: () => qualifyingData(nodeCrypto, leaves.length, tree.root),
    bundle: (bundle) => ({ ...bundle, leafIndex, leafCount: leaves.length, path: tree.pathOf(leafIndex) }),
  }));
}

/** A verifier holds one set of roots. */
const { trust } = fixture().context;

function judge({ bundle, policy, context }: Fixture, cache: VerifyCache): void {
  const verdict = verify(bundle, policy, { ...context, trust, cache });
  if (!verdict.ok) throw new Error(`refused: ${verdict.code}`);
}

/** Judges one bundle after the other, in each lap with another cache that knows the first bundle only. */
function inTurn(fixtures: readonly Fixture[]): () => void {
  const [first] = fixtures;
  if (!first) throw new TypeError('no bundle');
  const caches = Array.from({ length: LAPS }, () => new VerifyCache());
  for (const cache of caches) judge(first, cache);
  let call = 0;
  return () => {
    const cache = caches[Math.floor(call / (BUNDLES - 1)) % LAPS];
    const next = fixtures[1 + (call % (BUNDLES - 1))];
    call += 1;
    if (cache && next) judge(next, cache);
  };
}

/** One verification, as node:crypto does it with a key that is ready. */
function bare(key: FixtureTpmKey): () => void {
  const message = toUtf8('x'.repeat(145));
  const signature = key.sign(message);
  const ready = createPublicKey({ key: Buffer.from(key.spki), format: 'der', type: 'spki' });
  const hash = key.scheme.endsWith('sha384') ? 'sha384' : 'sha256';
  return () => {
    if (!verifySignature(hash, message, ready, signature)) throw new Error('bad signature');
  };
}

type Figures = Readonly<
  Record<'floor' | 'seam' | 'own' | 'chain' | 'leaf' | 'same' | 'certificate' | 'nothing', number>
>;

function measure(ak: FixtureTpmKey): Figures {
  const [first] = bundles(ak);
  if (!first) throw new TypeError('no bundle');
  const p256 = ecKey('floor');
  const message = toUtf8('x'.repeat(145));
  const signature = p256.sign(message);
  const known = new VerifyCache();
  judge(first, known);
  const certificates = bundles(ak, (i) => ({
    certificate: (fields) => ({ ...fields, spki: ecKey(`enclave ${i}`).spki }),
  }));
  const newQuotes = bundles(ak);
  const leaves = oneBatch(ak);
  // The compiler's work is not the subject's.
  const warm = inTurn(newQuotes);
  for (let i = 0; i < WARM_UP; i += 1) {
    warm();
    judge(first, known);
  }
  const repeats = Array.from({ length: REPEATS }, () =>
    alternate(
      {
        floor: bare(p256),
        seam: () => nodeCrypto.verifySignature(p256.spki, 'ecdsa-sha256', message, signature),
        own: bare(ak),
        chain: inTurn(newQuotes),
        leaf: inTurn(leaves),
        same: () => judge(first, known),
        certificate: inTurn(certificates),
        nothing: () => judge(first, new VerifyCache()),
      },
      SLICES,
      SLICE_CALLS,
    ),
  );
  const of = (name: string) => median(repeats.map((figures) => figures[name] ?? Number.NaN));
  return {
    floor: of('floor'),
    seam: of('seam'),
    own: of('own'),
    chain: of('chain'),
    leaf: of('leaf'),
    same: of('same'),
    certificate: of('certificate'),
    nothing: of('nothing'),
  };
}

/** Prints a table: a row a kind of attestation key, its last columns as multiples. */
export function benchVerify(): void {
  const rows = Object.entries(KINDS).map(([kind, key]) => {
    const { floor, seam, own, chain, leaf, same, certificate, nothing } = measure(key());
    const times = (value: number, of: number) => Number((value / of).toFixed(2));
    return {
      'attestation key': kind,
      'P-256 verification, us': Number(floor.toFixed(1)),
      'the same through the seam': times(seam, floor),
      'its own verification': times(own, floor),
      'AK chain seen (1.25)': times(chain, floor),
      '.. of its own': times(chain, own),
      'quote seen, another leaf': times(leaf, floor),
      'quote seen, same bundle (0.25)': times(same, floor),
      'new certificate, of own + 1 (1.25)': times(certificate, own + floor),
      'nothing seen, of own + 2': times(nothing, own + 2 * floor),
    };
  });
  console.log(
    'Verification of a bundle, as multiples of one P-256 verification (bare node:crypto, key ready):',
  );
  for (const name of Object.keys(rows[0] ?? {})) {
    const cells = rows.map((row) => String(Object.entries(row).find(([key]) => key === name)?.[1]));
    console.log(`${name.padEnd(36)}${cells.map((cell) => cell.padStart(9)).join('')}`);
  }
}
