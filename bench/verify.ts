/**
 * What verifying a bundle costs, as multiples of one P-256 verification: a bare call of node:crypto with a key that is
 * ready. CPU time of the whole process, garbage collection included, so that other processes count little; floor and
 * subject alternate in slices of 64 calls, a round is their sums' ratio, a figure the median of five rounds. Design
 * budgets: 1.25x with a new quote, 0.25x with a known one, and 1.25x of the verifications that a new certificate needs.
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
import { median } from './figures.ts';

const ROUNDS = 5;
const WARM_UP = 2;
const SLICES = 16;
const SLICE_CALLS = 64;
/** Bundles that differ; of a batch as many leaves. */
const BUNDLES = 2 * SLICE_CALLS;

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

/** What is measured: before each slice, untimed, it makes what the slice calls. */
type Subject = (slice: number) => (call: number) => void;

/** Judges bundles of one half, then of the other, each half with another cache, which knows the first bundle of the other only. */
function halves(fixtures: readonly Fixture[]): Subject {
  return (slice) => {
    const from = (slice % 2) * SLICE_CALLS;
    const known = fixtures[SLICE_CALLS - from];
    const cache = new VerifyCache();
    if (known) judge(known, cache);
    return (call) => {
      const next = fixtures[from + call];
      if (next) judge(next, cache);
    };
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

/** Microseconds of CPU that a slice took. */
function timed(call: (call: number) => void): number {
  const begun = process.cpuUsage();
  for (let i = 0; i < SLICE_CALLS; i += 1) call(i);
  const { user, system } = process.cpuUsage(begun);
  return user + system;
}

/** What a call of the subject costs, as a multiple of a call of the floor; and the floor's microseconds. */
function measure(floor: () => void, subject: Subject): { readonly times: number; readonly floor: number } {
  const rounds: { times: number; floor: number }[] = [];
  // The first rounds are the compiler's.
  for (let round = -WARM_UP; round < ROUNDS; round += 1) {
    let [floors, subjects] = [0, 0];
    for (let slice = 0; slice < SLICES; slice += 1) {
      const call = subject(slice);
      floors += timed(floor);
      subjects += timed(call);
    }
    if (round >= 0) rounds.push({ times: subjects / floors, floor: floors / SLICES / SLICE_CALLS });
  }
  return { times: median(rounds.map(({ times }) => times)), floor: median(rounds.map(({ floor }) => floor)) };
}

/** The rows of one kind of attestation key. */
function figures(ak: FixtureTpmKey): Readonly<Record<string, number>> {
  const newQuotes = bundles(ak);
  const [first] = newQuotes;
  if (!first) throw new TypeError('no bundle');
  const certificates = bundles(ak, (i) => ({
    certificate: (fields) => ({ ...fields, spki: ecKey(`enclave ${i}`).spki }),
  }));
  const known = new VerifyCache();
  judge(first, known);
  const p256 = ecKey('floor');
  const floor = bare(p256);
  const message = toUtf8('x'.repeat(145));
  const signature = p256.sign(message);
  const seam = () => nodeCrypto.verifySignature(p256.spki, 'ecdsa-sha256', message, signature);
  const times = (subject: Subject) => measure(floor, subject).times;
  const own = measure(floor, () => bare(ak));
  return {
    'P-256 verification, us': own.floor,
    'the same through the seam': times(() => seam),
    'its own verification': own.times,
    'AK chain seen, new quote (1.25)': times(halves(newQuotes)),
    'quote seen, another leaf of 128 (0.25)': times(halves(oneBatch(ak))),
    'quote seen, a batch of one (0.25)': times(() => () => judge(first, known)),
    'new certificate, of own + 1 (1.25)': times(halves(certificates)) / (own.times + 1),
    'nothing seen, of own + 2': times(() => () => judge(first, new VerifyCache())) / (own.times + 2),
  };
}

/** Prints a table: a column a kind of attestation key. */
export function benchVerify(): void {
  console.log(
    'Verification of a bundle by CPU time, as multiples of one P-256 verification (bare node:crypto, key ready):',
  );
  const columns = Object.entries(KINDS).map(([kind, key]) => ({ kind, rows: figures(key()) }));
  const print = (name: string, cells: readonly string[]) =>
    console.log(`${name.padEnd(40)}${cells.map((cell) => cell.padStart(9)).join('')}`);
  print(
    'attestation key',
    columns.map(({ kind }) => kind),
  );
  for (const name of Object.keys(columns[0]?.rows ?? {}))
    print(
      name,
      columns.map(({ rows }) => (rows[name] ?? Number.NaN).toFixed(name.endsWith('us') ? 1 : 2)),
    );
}
