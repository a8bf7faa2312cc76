import { describe, expect, test } from 'vitest';
import { concat } from '../../formats/bytes/bytes.ts';
import type { Crypto } from '../../formats/crypto/crypto.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import { BytesMap } from '../../verify/bytes-map.ts';
import type { VerifyContext } from '../../verify/context.ts';
import { verify } from '../../verify/verify.ts';
import { VerifyCache } from '../../verify/verify-cache.ts';
import { fixture } from '../support/evidence.ts';
import { publishedVectors } from '../support/published-vectors.ts';
import { openVector } from '../support/vector.ts';

const opened = [...publishedVectors()].flatMap(([name, vector]) => {
  const { bundle, policy, context } = openVector(vector);
  return bundle
    ? [{ name, judge: (cache?: VerifyCache) => verify(bundle, policy, { ...context, cache }) }]
    : [];
});

describe('what is remembered changes no verdict', () => {
  test('of any vector: without a cache, with a cold one, and with a warm one', () => {
    for (const { name, judge } of opened) {
      const cache = new VerifyCache();
      const verdict = judge();
      expect(judge(cache), `${name}, cold`).toEqual(verdict);
      expect(judge(cache), `${name}, warm`).toEqual(verdict);
    }
  });

  test('of any vector, when one cache has seen them all', () => {
    const cache = new VerifyCache();
    for (const { judge } of opened) judge(cache);
    for (const { name, judge } of opened.toReversed()) expect(judge(cache), name).toEqual(judge());
  });

  const made = fixture();
  const known = () => {
    const cache = new VerifyCache();
    expect(verify(made.bundle, made.policy, { ...made.context, cache }).ok).toBe(true);
    return cache;
  };
  const later: Record<string, [Partial<VerifyContext>, string]> = {
    'after the certificates’ dates': [{ now: made.context.now + 10 * 86_400 }, 'chain-expired'],
    'without its roots': [{ trust: { ...made.context.trust, enclaves: [] } }, 'chain-no-roots'],
    'with another nonce': [{ nonce: new Uint8Array(32) }, 'nonce-differs'],
  };
  test.each(Object.entries(later))('a known bundle %s', (_name, [change, code]) => {
    const context = { ...made.context, ...change, cache: known() };
    expect(verify(made.bundle, made.policy, context).code).toBe(code);
  });

  test('with a seam that writes every hash into the same memory', () => {
    const memory = new Uint8Array(48);
    const hash: Crypto['hash'] = (algorithm, bytes) => {
      const made = nodeCrypto.hash(algorithm, bytes);
      memory.set(made);
      return memory.subarray(0, made.length);
    };
    const context = { ...made.context, crypto: { ...nodeCrypto, hash }, cache: new VerifyCache() };
    const first = verify(made.bundle, made.policy, context);
    expect(first.ok).toBe(true);
    expect(verify(made.bundle, made.policy, context)).toEqual(first);
    const other = fixture({ statement: (s) => ({ ...s, pod: { ...s.pod, name: 'another' } }) });
    expect(verify(other.bundle, other.policy, context).statement?.pod.name).toBe('another');
  });

  test.each([undefined, new VerifyCache()])(
    'lines are read after the judged bytes and lists changed',
    (cache) => {
      const own = { ...structuredClone(made.bundle) };
      const policy = structuredClone(made.policy);
      const context = { ...made.context, cache };
      const early = structuredClone(verify(own, policy, context));
      const verdict = verify(own, policy, context);
      const { pcrValues, attest, attestationKeyPublic, statement, certificateChain, path } = own;
      for (const bytes of [attest, attestationKeyPublic, statement, ...certificateChain, ...path])
        bytes.fill(0);
      for (const { digest } of pcrValues?.values ?? []) digest.fill(0);
      for (const list of Object.values(policy)) if (Array.isArray(list)) list.fill('other');
      expect(verdict).toEqual(early);
      expect(JSON.parse(JSON.stringify(verdict))).toEqual(early);
      expect({ ...verdict }).toEqual(early);
    },
  );

  test('bytes that change in place after they were seen, roots included', () => {
    const bundle = { ...made.bundle, attest: concat(made.bundle.attest) };
    const trust = { ...made.context.trust, enclaves: made.context.trust.enclaves.map((der) => concat(der)) };
    const context = { ...made.context, trust, cache: new VerifyCache() };
    expect(verify(bundle, made.policy, context).ok).toBe(true);
    bundle.attest.fill(0);
    expect(verify(bundle, made.policy, context).ok).toBe(false);
    expect(verify(made.bundle, made.policy, context)).toEqual(
      verify(made.bundle, made.policy, { ...context, cache: undefined }),
    );
    for (const der of trust.enclaves) der.fill(0);
    expect(verify(made.bundle, made.policy, context).code).toBe('chain-untrusted');
  });
});

test('values of PCRs have a digest by the hash that made it only, and whole', () => {
  const cache = new VerifyCache();
  const values = [0, 1].map((index) => ({ index, digest: new Uint8Array(32).fill(index) }));
  const digest = new Uint8Array(48).fill(9);
  cache.keepPcrDigest('sha384', digest, values);
  expect(cache.hadPcrDigest('sha384', concat(digest), values)).toBe(true);
  expect(cache.hadPcrDigest('sha256', digest, values)).toBe(false);
  expect(cache.hadPcrDigest('sha384', digest, values.slice(1))).toBe(false);
  expect(cache.hadPcrDigest('sha384', digest, values.toReversed())).toBe(false);
  for (const value of values) value.digest.fill(7);
  expect(cache.hadPcrDigest('sha384', digest, values)).toBe(false);
});

describe('values by bytes', () => {
  test('are found by the very same bytes only, however alike their ends are', () => {
    const map = new BytesMap<string>();
    const bytes = new Uint8Array(100).fill(7);
    map.set(bytes, 'kept');
    expect(map.get(concat(bytes))).toBe('kept');
    expect(map.get(bytes.with(0, 1))).toBeUndefined();
    expect(map.get(bytes.subarray(1))).toBeUndefined();
  });

  test('are bounded in number, and the oldest go first', () => {
    const map = new BytesMap<number>();
    const key = (n: number) => Uint8Array.of(n >> 8, n & 0xff);
    for (let n = 0; n < 3000; n++) map.set(key(n), n);
    const left = Array.from({ length: 3000 }, (_, n) => map.get(key(n))).filter((n) => n !== undefined);
    expect(left.length).toBe(1024);
    expect(Math.min(...left)).toBe(3000 - 1024);
  });
});
