import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  batchTree,
  leafHash,
  pathLength,
  qualifyingData,
  rootFromPath,
} from '../../../formats/evidence/batch.ts';
import { nodeCrypto } from '../../../platform/crypto/node-crypto.ts';

const leaves = fc.array(fc.uint8Array({ minLength: 32, maxLength: 32 }), { minLength: 1, maxLength: 70 });

describe('batch tree', () => {
  test('every path leads to the root and to no other', () => {
    fc.assert(
      fc.property(leaves, fc.nat(), fc.nat(), (all, pick, other) => {
        const index = pick % all.length;
        const leaf = all[index] ?? new Uint8Array();
        const path = batchTree(nodeCrypto, all).pathOf(index);
        const root = batchTree(nodeCrypto, all).root;
        expect(path).toHaveLength(pathLength(index, all.length));
        expect(rootFromPath(nodeCrypto, leaf, index, all.length, path)).toEqual(root);
        const wrong = other % all.length;
        if (wrong !== index && pathLength(wrong, all.length) === path.length)
          expect(rootFromPath(nodeCrypto, leaf, wrong, all.length, path)).not.toEqual(root);
      }),
      { numRuns: 60 },
    );
  });

  test('index beyond n, a path too short or too long and other node sizes are refused', () => {
    const all = Array.from({ length: 5 }, (_, i) => new Uint8Array(32).fill(i));
    const [leaf = new Uint8Array()] = all;
    const path = batchTree(nodeCrypto, all).pathOf(0);
    expect(rootFromPath(nodeCrypto, leaf, 5, 5, path)).toBeUndefined();
    expect(rootFromPath(nodeCrypto, leaf, 0, 5, path.slice(1))).toBeUndefined();
    expect(rootFromPath(nodeCrypto, leaf, 0, 5, [...path, leaf])).toBeUndefined();
    expect(rootFromPath(nodeCrypto, leaf, 0, 5, [new Uint8Array(31), ...path.slice(1)])).toBeUndefined();
    expect(rootFromPath(nodeCrypto, leaf, 0, 65_537, path)).toBeUndefined();
    expect(() => batchTree(nodeCrypto, []).root).toThrow(RangeError);
  });

  test('hashes what docs/evidence-format.md says, byte for byte', () => {
    const sha256 = (...parts: (string | Uint8Array)[]) =>
      parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest();
    const statement = new TextEncoder().encode('{"a":1}');
    const blinder = new Uint8Array(32).fill(9);
    const leaf = sha256('\0enclave-leaf/1', Uint8Array.of(0, 0, 0, 7), statement, blinder);
    expect(Buffer.from(leafHash(nodeCrypto, statement, blinder))).toEqual(leaf);
    const [b, c] = [sha256('b'), sha256('c')];
    const root = sha256('\x01', sha256('\x01', leaf, b), c);
    expect(Buffer.from(batchTree(nodeCrypto, [leaf, b, c]).root)).toEqual(root);
    const signed = sha256('enclave-batch/1', Uint8Array.of(0, 0, 0, 3), root);
    expect(Buffer.from(qualifyingData(nodeCrypto, 3, root))).toEqual(signed);
  });

  test('a batch of one is no special case, and n is part of what is signed', () => {
    const leaf = leafHash(nodeCrypto, Uint8Array.of(1), new Uint8Array(32));
    expect(batchTree(nodeCrypto, [leaf]).root).toEqual(leaf);
    expect(qualifyingData(nodeCrypto, 1, leaf)).not.toEqual(qualifyingData(nodeCrypto, 2, leaf));
  });
});
