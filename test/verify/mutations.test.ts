import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fromBase64, toBase64 } from '../../formats/bytes/base64.ts';
import { toHex, toUtf8 } from '../../formats/bytes/bytes.ts';
import {
  type Bundle,
  bundleFromJson,
  bundleToJson,
  decodeBundle,
  encodeBundle,
} from '../../formats/evidence/bundle.ts';
import { verify } from '../../verify/verify.ts';
import { VerifyCache } from '../../verify/verify-cache.ts';
import { WORK_BOUND } from '../../verify/work-bound.ts';
import { countingCrypto } from '../support/counting-crypto.ts';
import { type Fixture, fixture } from '../support/evidence.ts';
import {
  FIXTURE_NOW,
  type FixtureIssuer,
  fixtureCertificate,
  fixtureRoot,
  rootIssuer,
} from '../support/fixture-certificates.ts';
import { ecKey } from '../support/fixture-keys.ts';
import { policy, sha256 } from '../support/forgery.ts';
import { granted } from '../support/tables/forged-claims.ts';
import { allOfKind, keyKind } from '../support/tables/key-kinds.ts';

const made = fixture({ neighbours: 4 });
const other = fixture({ neighbours: 4, ...allOfKind(keyKind('rsa-2048-rsapss-sha384')) });
const crypto = countingCrypto();

/** Verifies within the bound of work, without throwing; what passes says what the original says. */
function judged(
  bundle: Bundle,
  { policy, context, bundle: original }: Fixture = made,
  cache?: VerifyCache,
): void {
  crypto.reset();
  const { ok } = verify(bundle, policy, { ...context, crypto, cache });
  expect(crypto.asked.signatures).toBeLessThanOrEqual(WORK_BOUND.signatures);
  expect(crypto.asked.hashes).toBeLessThanOrEqual(WORK_BOUND.hashes);
  // Nobody signs these three; a server name that is there is compared with the certificate's, whatever its case.
  const { endpoint, eventLog, serverName } = bundle;
  const named = { ...original, endpoint, eventLog, serverName };
  expect(['', original.serverName]).toContain(ok ? serverName.toLowerCase() : '');
  if (ok) expect(bundle).toEqual(named);
}

/** Some bytes with runs of them overwritten, inserted, removed or repeated; cut off; or longer. */
function mutated(bytes: Uint8Array): fc.Arbitrary<Uint8Array> {
  const at = fc.nat(Math.max(bytes.length, 1));
  const edit = fc.record({ at, remove: fc.nat(40), insert: fc.uint8Array({ maxLength: 40 }) });
  const overwrite = fc.tuple(at, fc.uint8Array({ minLength: 1, maxLength: 8 }));
  const list = <T>(item: fc.Arbitrary<T>) => fc.array(item, { minLength: 1, maxLength: 4 });
  const spliced = (from: number, to: number, put: Uint8Array) =>
    Uint8Array.from([...bytes.slice(0, from), ...put, ...bytes.slice(to)]);
  return fc.oneof(
    list(edit).map((edits) =>
      edits.reduce(
        (all, { at: from, remove, insert }) =>
          Uint8Array.from([...all.slice(0, from), ...insert, ...all.slice(from + remove)]),
        bytes,
      ),
    ),
    list(overwrite).map((edits) => {
      const copy = bytes.slice();
      for (const [from, put] of edits)
        copy.set(put.slice(0, Math.max(0, copy.length - from)), Math.min(from, copy.length));
      return copy;
    }),
    at.map((length) => bytes.slice(0, length)),
    fc.uint8Array({ minLength: 1, maxLength: 64 }).map((more) => spliced(bytes.length, bytes.length, more)),
    fc.tuple(at, at).map(([a, b]) => spliced(b, b, bytes.slice(Math.min(a, b), Math.max(a, b)))),
  );
}

describe('mutations never make verify throw, work more than its bound, or pass as something else', () => {
  test('of the encoded bundle', () => {
    const cache = new VerifyCache();
    for (const { bundle } of [made, other])
      fc.assert(
        fc.property(mutated(encodeBundle(bundle)), (bytes) => {
          const decoded = decodeBundle(bytes);
          if (!decoded.ok) return;
          expect(encodeBundle(decoded.value)).toEqual(bytes);
          judged(decoded.value);
          judged(decoded.value, other, cache);
        }),
        { numRuns: 1000 },
      );
  });

  test('of one member of it, lengths mended', () => {
    const members = [
      ['attest', 'signature', 'attestationKeyPublic', 'statement', 'blinder'],
      ['path', 'certificateChain', 'attestationKeyCertificateChain'],
    ] as const;
    const single = fc.constantFrom(...members[0]);
    const lists = fc.constantFrom(...members[1]);
    const one = (bundle: Bundle) =>
      fc.oneof(
        single.chain((member) => mutated(bundle[member]).map((bytes) => ({ ...bundle, [member]: bytes }))),
        lists.chain((member) =>
          fc.nat(bundle[member].length - 1).chain((i) =>
            mutated(bundle[member][i] ?? new Uint8Array()).map((bytes) => ({
              ...bundle,
              [member]: bundle[member].with(i, bytes),
            })),
          ),
        ),
        lists.chain((member) =>
          fc
            .array(fc.constantFrom(...made.bundle[member], ...other.bundle[member]), { maxLength: 6 })
            .map((list) => ({ ...bundle, [member]: list })),
        ),
      );
    for (const whole of [made, other])
      fc.assert(
        fc.property(one(whole.bundle), (bundle) => {
          judged(bundle, whole);
          const decoded = decodeBundle(encodeBundle(bundle));
          if (decoded.ok) expect(decoded.value).toEqual(bundle);
        }),
        { numRuns: 1500 },
      );
  });

  test('of its JSON', () => {
    const json = bundleToJson(made.bundle);
    const strings = [...json.matchAll(/"([A-Za-z0-9+/]{40,}={0,2})"/g)];
    const inside = fc.nat(strings.length - 1).chain((i) => {
      const [, text = ''] = strings[i] ?? [];
      return mutated(fromBase64(text) ?? new Uint8Array()).map((bytes) =>
        toUtf8(json.replace(text, toBase64(bytes))),
      );
    });
    const member = fc
      .tuple(
        fc.constantFrom('"path":', '"leafIndex":', '"statement":', '{', '"values":'),
        fc.json({ maxDepth: 3 }),
      )
      .map(([before, value]) => toUtf8(json.replace(before, `${before}${value},${before}`)));
    fc.assert(
      fc.property(fc.oneof(mutated(toUtf8(json)), inside, member), (bytes) => {
        const read = bundleFromJson(bytes);
        if (!read.ok) return;
        // White space is JSON's own; what is read is one value all the same.
        expect(bundleFromJson(bundleToJson(read.value))).toEqual(read);
        judged(read.value);
      }),
      { numRuns: 1500 },
    );
  });

  test('of a bundle that no reader has seen', () => {
    const bytes = (maxLength: number) => fc.uint8Array({ maxLength });
    const number = fc.oneof(fc.integer(), fc.double(), fc.constantFrom(2 ** 31, 2 ** 32, 65_536, 65_537));
    const value = fc.record({ index: number, digest: bytes(50) });
    const hostile = fc.record({
      certificateChain: fc.array(bytes(40), { maxLength: 6 }),
      statement: bytes(40),
      blinder: fc.uint8Array({ minLength: 30, maxLength: 33 }),
      leafIndex: number,
      leafCount: number,
      path: fc.array(bytes(33), { maxLength: 20 }),
      attest: bytes(60),
      signature: bytes(60),
      pcrValues: fc.option(fc.record({ hashAlgorithm: number, values: fc.array(value, { maxLength: 30 }) }), {
        nil: undefined,
      }),
      attestationKeyPublic: bytes(60),
      attestationKeyCertificateChain: fc.array(bytes(40), { maxLength: 6 }),
      endpoint: fc.string(),
      serverName: fc.string(),
    });
    fc.assert(
      fc.property(hostile, fc.subarray(Object.keys(made.bundle), { minLength: 1 }), (parts, members) => {
        const picked = Object.entries(parts).filter(([name]) => members.includes(name));
        judged({ ...made.bundle, ...Object.fromEntries(picked) });
      }),
      { numRuns: 500 },
    );
  });
});

test('the bound of work is what the largest bundle takes: four certificates under the last of eight roots, twice', () => {
  const chained = (role: 'enclaves' | 'attestation-keys') => {
    const [top, middle, low] = ['top', 'middle', 'low'].map(
      (name): FixtureIssuer => ({
        name: { commonName: name },
        key: ecKey(name),
      }),
    );
    if (!top || !middle || !low) throw new TypeError('three of them');
    const ca = (of: FixtureIssuer, by: FixtureIssuer) =>
      fixtureCertificate(
        role,
        {
          spki: of.key.spki,
          subject: of.name,
          notAfter: FIXTURE_NOW + 60,
          extensions: { basicConstraints: { ca: true }, keyUsage: ['keyCertSign'] },
        },
        by,
      );
    const root = rootIssuer(role);
    // One key under eight serial numbers, of which the policy lists the last.
    const roots = [1, 2, 3, 4, 5, 6, 7, 8].map((serial) =>
      fixtureRoot(role, (f) => ({
        ...f,
        serial: Uint8Array.of(serial),
        extensions: { ...f.extensions, basicConstraints: { ca: true } },
      })),
    );
    return {
      issuer: { ...low, chain: [ca(low, middle), ca(middle, top), ca(top, root)] },
      roots,
      listed: roots.slice(-1).map((der) => toHex(sha256(der))),
    };
  };
  const [certificate, key] = [chained('enclaves'), chained('attestation-keys')];
  const large = fixture({
    ...granted(),
    ...policy({ roots: [...certificate.listed, ...key.listed] }),
    neighbours: 65_535,
    certificateIssuer: certificate.issuer,
    akIssuer: key.issuer,
    roots: (roots) => ({ ...roots, enclaves: certificate.roots, 'attestation-keys': key.roots }),
  });
  let most = 0;
  for (const cache of [undefined, new VerifyCache()]) {
    judged(large.bundle, large, cache);
    expect(verify(large.bundle, large.policy, large.context).ok).toBe(true);
    expect(crypto.asked).toEqual({ signatures: WORK_BOUND.signatures, hashes: expect.any(Number) });
    most = Math.max(most, crypto.asked.hashes);
  }
  // A refusal may tell one fingerprint more.
  expect(WORK_BOUND.hashes - most).toBeLessThan(4);
});
