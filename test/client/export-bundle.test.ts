import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { exportBundle } from '../../client/library/bundle/export-bundle.ts';
import { fixture } from '../support/evidence.ts';

const { bundle, policy, context } = fixture();
const { now, trust } = context;
const write = (folder: string) =>
  exportBundle(folder, bundle, { trust: { roots: trust, rootSets: [] }, policy, now });

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'export-'));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

test('an export replaces links that lie in its folder, and writes nothing elsewhere', () => {
  const folder = join(home, 'evidence');
  for (const name of ['evidence', 'elsewhere']) mkdirSync(join(home, name));
  writeFileSync(join(home, 'precious'), 'mine');
  symlinkSync(join(home, 'precious'), join(folder, 'statement.json'));
  symlinkSync(join(home, 'elsewhere'), join(folder, 'verifier'));
  write(folder);
  expect(readFileSync(join(home, 'precious'), 'utf8')).toBe('mine');
  expect(readdirSync(join(home, 'elsewhere'))).toEqual([]);
  expect(readFileSync(join(folder, 'statement.json'))).toEqual(Buffer.from(bundle.statement));
});

test('nothing beside the verifier of an export is left for python to load', () => {
  const folder = join(home, 'evidence');
  write(folder);
  const verifier = readdirSync(join(folder, 'verifier'));
  writeFileSync(join(folder, 'verifier', 'hashlib.py'), 'raise SystemExit(0)');
  write(folder);
  expect(readdirSync(join(folder, 'verifier'))).toEqual(verifier);
});

test('nor in a folder verifier that no export made: it is not written into', () => {
  const folder = join(home, 'evidence');
  mkdirSync(join(folder, 'verifier'), { recursive: true });
  writeFileSync(join(folder, 'verifier', 'hashlib.py'), 'raise SystemExit(0)');
  let refused = false;
  try {
    write(folder);
  } catch {
    refused = true;
  }
  expect(refused || !readdirSync(join(folder, 'verifier')).includes('hashlib.py')).toBe(true);
});
