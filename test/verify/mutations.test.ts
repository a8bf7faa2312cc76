import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Bundle, decodeBundle, encodeBundle } from '../../formats/evidence/bundle.ts';
import { verify } from '../../verify/verify.ts';
import { VerifyCache } from '../../verify/verify-cache.ts';
import { type Fixture, fixture } from '../support/evidence.ts';
import { ecKey, type FixtureTpmKey } from '../support/fixture-keys.ts';
import { rsaKey } from '../support/fixture-rsa-key.ts';

const KINDS: Readonly<Record<string, () => FixtureTpmKey>> = {
  'P-256': () => ecKey('ak'),
  'P-384': () => ecKey('ak', 'p384', 'sha384'),
  'RSA 2048': () => rsaKey('2048'),
};

/** Members whose every bit is signed, or is the signature itself; and those that are hashed, whatever key signs. */
const SIGNED = ['attest', 'signature', 'attestationKeyPublic'] as const;
const HASHED = ['statement', 'blinder'] as const;

function flipped(bytes: Uint8Array, bit: number): Uint8Array {
  return bytes.map((byte, i) => (i === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));
}

/** Everything that never changes is remembered, so that a run over thousands of flips stays short. */
function accepted(made: Fixture, bundle: Bundle, cache: VerifyCache): boolean {
  return verify(bundle, made.policy, { ...made.context, cache }).ok;
}

describe('bit flips', () => {
  test.each(Object.entries(KINDS))('%s: every changed bit is refused', (kind, key) => {
    const made = fixture({ ak: key() });
    const cache = new VerifyCache();
    expect(accepted(made, made.bundle, cache)).toBe(true);
    const passed: string[] = [];
    for (const member of kind === 'P-256' ? [...SIGNED, ...HASHED] : SIGNED)
      for (let bit = 0; bit < 8 * made.bundle[member].length; bit++)
        if (accepted(made, { ...made.bundle, [member]: flipped(made.bundle[member], bit) }, cache))
          passed.push(`${member} bit ${bit}`);
    expect(passed).toEqual([]);
  });

  test('path, PCR values, index and count too', () => {
    const made = fixture({ neighbours: 4, index: 1 });
    const cache = new VerifyCache();
    const passed: string[] = [];
    for (const [i, hash] of made.bundle.path.entries())
      for (let bit = 0; bit < 8 * hash.length; bit++)
        if (accepted(made, { ...made.bundle, path: made.bundle.path.with(i, flipped(hash, bit)) }, cache))
          passed.push(`path ${i} bit ${bit}`);
    for (let other = 0; other < 12; other++) {
      if (other !== 1 && accepted(made, { ...made.bundle, leafIndex: other }, cache))
        passed.push(`index ${other}`);
      if (other !== 5 && accepted(made, { ...made.bundle, leafCount: other }, cache))
        passed.push(`count ${other}`);
    }
    expect(passed).toEqual([]);
  });
});

describe('mutations', () => {
  const made = fixture();
  const bytes = encodeBundle(made.bundle);
  const edits = fc.array(
    fc.record({ at: fc.nat(bytes.length), remove: fc.nat(3), insert: fc.uint8Array({ maxLength: 3 }) }),
    { minLength: 1, maxLength: 3 },
  );

  test('of an encoded bundle never throw and never verify as something else', () => {
    const cache = new VerifyCache();
    fc.assert(
      fc.property(edits, (list) => {
        let mutated: Uint8Array = bytes;
        for (const { at, remove, insert } of list)
          mutated = Uint8Array.from([...mutated.slice(0, at), ...insert, ...mutated.slice(at + remove)]);
        const decoded = decodeBundle(mutated);
        if (!decoded.ok) return;
        expect(encodeBundle(decoded.value)).toEqual(mutated);
        const verdict = verify(decoded.value, made.policy, { ...made.context, cache });
        // Endpoint and event log are information: nobody signs them.
        const informative = {
          ...made.bundle,
          endpoint: decoded.value.endpoint,
          eventLog: decoded.value.eventLog,
        };
        if (verdict.ok) expect(decoded.value.statement).toEqual(informative.statement);
      }),
      { numRuns: 300 },
    );
  });

  test('of members never throw', () => {
    const hostile = fc.record({
      certificateChain: fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 6 }),
      statement: fc.uint8Array({ maxLength: 40 }),
      blinder: fc.uint8Array({ minLength: 30, maxLength: 33 }),
      leafIndex: fc.oneof(fc.integer(), fc.double()),
      leafCount: fc.oneof(fc.integer(), fc.double()),
      path: fc.array(fc.uint8Array({ maxLength: 33 }), { maxLength: 20 }),
      attest: fc.uint8Array({ maxLength: 60 }),
      signature: fc.uint8Array({ maxLength: 60 }),
      attestationKeyPublic: fc.uint8Array({ maxLength: 60 }),
      attestationKeyCertificateChain: fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 6 }),
      endpoint: fc.string(),
      serverName: fc.string(),
    });
    fc.assert(
      fc.property(hostile, fc.subarray(Object.keys(made.bundle), { minLength: 1 }), (parts, members) => {
        const picked = Object.fromEntries(
          Object.entries(parts).filter(([member]) => members.includes(member)),
        );
        expect(typeof verify({ ...made.bundle, ...picked }, made.policy, made.context).ok).toBe('boolean');
      }),
      { numRuns: 200 },
    );
  });
});

test('what is remembered changes no verdict', () => {
  const made = fixture();
  const cache = new VerifyCache();
  const first = verify(made.bundle, made.policy, { ...made.context, cache });
  const again = verify(made.bundle, made.policy, { ...made.context, cache });
  expect(again).toEqual(first);
  const later = { ...made.context, cache, now: made.context.now + 10 * 86_400 };
  expect(verify(made.bundle, made.policy, later).code).toBe('chain-expired');
});
