/**
 * The library where there is nothing: `verify` and `evidence` as `make build` made them, with hashes and signatures of another maker, in
 * a realm that has the language, TextEncoder and TextDecoder, and no clock, randomness, environment, network or file.
 */
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { createContext, runInContext } from 'node:vm';
import { parseSync } from 'oxc-parser';
import { rolldown } from 'rolldown';
import { beforeAll, expect, test } from 'vitest';
import { publishedVectors } from '../support/published-vectors.ts';

let judge: (vector: object) => unknown;

beforeAll(async () => {
  const bundle = await rolldown({
    input: 'test/client/anywhere/judge-vector.ts',
    platform: 'browser',
    external: [],
    plugins: [
      {
        name: 'built library',
        resolveId: (id) => {
          const entry = /client\/exports\/(\w+)\.ts$/.exec(id)?.[1];
          if (entry === undefined) return null;
          const built = resolve(`dist/library/${entry}.js`);
          if (!existsSync(built)) throw new Error(`${built} is missing: make build`);
          return built;
        },
      },
    ],
  });
  const { output } = await bundle.generate({ format: 'iife', name: 'anywhere' });
  await bundle.close();
  const realm = createContext({ TextEncoder, TextDecoder });
  runInContext(
    `{
      const Real = Date;
      const no = (what) => () => { throw new Error(what + ' in a pure library'); };
      globalThis.Date = class extends Real {
        constructor(...given) {
          if (given.length === 0) throw new Error('the clock in a pure library');
          super(...given);
        }
      };
      globalThis.Date.now = no('the clock');
      Math.random = no('randomness');
    }`,
    realm,
  );
  runInContext(output[0].code, realm);
  judge = (vector) => {
    Object.assign(realm, { text: JSON.stringify(vector) });
    return JSON.parse(String(runInContext('anywhere.judgeVector(text)', realm)));
  };
});

test.each(['verify', 'evidence', 'tpm'])('%s imports nothing', (entry) => {
  const file = `dist/library/${entry}.js`;
  const { staticImports, dynamicImports } = parseSync(file, readFileSync(file, 'utf8')).module;
  expect([staticImports, dynamicImports]).toEqual([[], []]);
});

const vectors = publishedVectors();

test('every vector ends there as it does here', () => {
  expect(vectors.size).toBeGreaterThan(300);
  for (const [name, vector] of vectors)
    expect(judge(vector), name).toEqual(vector.expected === null ? [] : [vector.expected]);
});
