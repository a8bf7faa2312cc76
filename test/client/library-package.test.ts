/** The package as somebody else gets it: packed, unpacked in a project of theirs, type-checked strictly and run. No network. */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { encodeBundle } from '../../formats/evidence/bundle.ts';
import { publishedVectors } from '../support/published-vectors.ts';
import { openVector } from '../support/vector.ts';

const ENTRIES = ['verify', 'evidence', 'tpm', 'client'];
const project = mkdtempSync(join(tmpdir(), 'consumer-'));
let shipped: string[];

/** The example of the README, which has to work as it stands. */
const example = /^## Library\n\n```ts\n(.*?)^```$/ms.exec(readFileSync('README.md', 'utf8'))?.[1] ?? '';

const consumer = `
import { readFileSync } from 'node:fs';
import { createAttestedConnector, exportBundle, fetchEvidence, launchEnclave, nodeCrypto, TrustStore } from 'enclave-licensing/client';
import { type Bundle, decodeBundle, leafHash, parseStatement, qualifyingData, rootFromPath } from 'enclave-licensing/evidence';
import { decodeAttest, decodePublic, objectName } from 'enclave-licensing/tpm';
import { CHECKS, type Check, parseRoots, rootsToJson, VerifyCache } from 'enclave-licensing/verify';
import { judge } from './judge.ts';

const input = JSON.parse(readFileSync('input.json', 'utf8'));
const bytes = new Uint8Array(readFileSync('bundle.bin'));
const roots = parseRoots(JSON.stringify(input.roots));
if (!roots.ok) throw new Error(roots.message);
const nonce = new Uint8Array(Buffer.from(input.nonce, 'hex'));
const { now, pcrSelection, seen, ownerKeySha256 } = input;
const context = { now, pcrSelection, seen, ownerKeySha256, trust: roots.value, cache: new VerifyCache() };
const verdict = judge(bytes, input.policy, { ...context, nonce });
const replayed = judge(bytes, input.policy, { ...context, nonce: nonce.map((octet) => octet ^ 1) });
const opened = decodeBundle(bytes);
if (!opened.ok) throw new Error(opened.message);
const bundle: Bundle = opened.value;
const attest = decodeAttest(bundle.attest);
const key = decodePublic(bundle.attestationKeyPublic);
const statement = parseStatement(bundle.statement);
if (!attest.ok || !key.ok || !statement.ok) throw new Error('malformed');
const name = objectName(nodeCrypto, key.value);
const leaf = leafHash(nodeCrypto, bundle.statement, bundle.blinder);
const root = rootFromPath(nodeCrypto, leaf, bundle.leafIndex, bundle.leafCount, bundle.path);
const quoted = root && Buffer.from(qualifyingData(nodeCrypto, bundle.leafCount, root));
const exported = exportBundle('exported', bundle, { trust: { roots: roots.value, rootSets: [], pcrSelection }, now });
// A refusal has a message where a value has none: the compiler knows.
// @ts-expect-error value of what may be a refusal
void decodeBundle(bytes).value;
const failed: readonly Check[] = replayed.checks.filter(({ ok }) => ok === false);
console.log(JSON.stringify({
  ok: verdict.ok,
  code: replayed.code,
  failed: failed.map((check) => check.name),
  checks: Object.keys(CHECKS).length === verdict.checks.length,
  exported: ['verify.sh', 'attest.bin'].map((file) => exported.includes(file)),
  kind: attest.value.attested.kind,
  name: name.ok && name.value.length,
  quoted: quoted?.equals(attest.value.extraData),
  enclave: statement.value.pod.enclave === verdict.statement?.pod.enclave,
  roots: rootsToJson(roots.value) === rootsToJson(roots.value),
  client: [createAttestedConnector, fetchEvidence, launchEnclave, TrustStore].map((each) => typeof each),
}));
`;

const page = `
import { decodeBundle, type Bundle } from 'enclave-licensing/evidence';
import { decodeAttest } from 'enclave-licensing/tpm';
import { type Crypto, type Policy, type Verdict, verify } from 'enclave-licensing/verify';
declare const crypto: Crypto;
export function judge(bytes: Uint8Array, policy: Policy, trust: Parameters<typeof verify>[2]['trust']): Verdict | string {
  const bundle = decodeBundle(bytes);
  if (!bundle.ok) return bundle.remedy;
  const read: Bundle = bundle.value;
  const attest = decodeAttest(read.attest);
  // @ts-expect-error a quote that may be malformed
  void attest.value;
  return verify(read, policy, { crypto, trust, now: Date.now() / 1000, nonce: 'unchecked' });
}
`;

function node(...args: string[]): string {
  return execFileSync(process.execPath, args, {
    cwd: project,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

beforeAll(() => {
  const packed = execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', project], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [{ filename, files }] = JSON.parse(packed) as [{ filename: string; files: { path: string }[] }];
  shipped = files.map(({ path }) => path);
  const modules = join(project, 'node_modules');
  const home = join(modules, 'enclave-licensing');
  mkdirSync(home, { recursive: true });
  execFileSync('tar', ['-xzf', join(project, filename), '--strip-components=1', '-C', home]);
  // What npm would install beside it, and what a consumer in TypeScript has.
  const { dependencies } = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8'));
  for (const name of [...Object.keys(dependencies), '@types/node']) {
    mkdirSync(dirname(join(modules, name)), { recursive: true });
    symlinkSync(resolve('node_modules', name), join(modules, name));
  }
  const write = (name: string, content: string | Uint8Array): void =>
    writeFileSync(join(project, name), content);
  const compilerOptions = {
    ...{ target: 'es2024', lib: ['es2024'], module: 'nodenext', types: ['node'], noEmit: true },
    ...{ strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true },
    ...{ verbatimModuleSyntax: true, allowImportingTsExtensions: true, skipLibCheck: false },
  };
  write('tsconfig.json', JSON.stringify({ compilerOptions, files: ['main.ts'] }));
  write('package.json', JSON.stringify({ type: 'module' }));
  write('judge.ts', example);
  write('main.ts', consumer);
  const vector = publishedVectors().get('good');
  if (vector === undefined) throw new Error('no good vector');
  const { bundle } = openVector(vector);
  if (bundle === undefined) throw new Error('the good vector is none');
  write('bundle.bin', encodeBundle(bundle));
  write('input.json', JSON.stringify({ ...vector.context, roots: vector.roots, policy: vector.policy }));
});
afterAll(() => rmSync(project, { recursive: true, force: true }));

test('ships the library and enclavectl, and nothing else', () => {
  const others = shipped.filter((path) => !/^dist\/(library\/|enclavectl\/|enclavectl\.js$)/.test(path));
  expect(others.toSorted()).toEqual(['README.md', 'package.json']);
  for (const entry of ENTRIES)
    expect(shipped).toEqual(
      expect.arrayContaining([`dist/library/${entry}.js`, `dist/library/types/client/exports/${entry}.d.ts`]),
    );
  expect(shipped).toContain('dist/library/export/verify.sh');
});

test('a consumer’s strict compiler knows its types, in every declaration it ships', () => {
  node(resolve('node_modules/typescript/bin/tsc'), '-p', 'tsconfig.json');
});

test('a browser’s compiler, without Node’s types, knows those of all but the client', () => {
  const compilerOptions = {
    ...{ target: 'es2022', lib: ['es2022', 'dom'], module: 'esnext', moduleResolution: 'bundler' },
    ...{ types: [], strict: true, noEmit: true },
  };
  writeFileSync(join(project, 'browser.json'), JSON.stringify({ compilerOptions, files: ['page.ts'] }));
  writeFileSync(join(project, 'page.ts'), page);
  node(resolve('node_modules/typescript/bin/tsc'), '-p', 'browser.json');
});

test('verifies, reads a quote, opens a bundle, and has the client', () => {
  expect(JSON.parse(node('main.ts'))).toEqual({
    ok: true,
    code: 'nonce-differs',
    failed: ['nonce'],
    checks: true,
    exported: [true, true],
    kind: 'quote',
    name: 34,
    quoted: true,
    enclave: true,
    roots: true,
    client: ['function', 'function', 'function', 'function'],
  });
});

test('needs nothing beside it to run, nor does enclavectl', () => {
  const alone = mkdtempSync(join(tmpdir(), 'alone-'));
  try {
    const home = join(alone, 'node_modules/enclave-licensing');
    cpSync(join(project, 'node_modules/enclave-licensing'), home, { recursive: true });
    const imports = ENTRIES.map((entry) => `await import('enclave-licensing/${entry}');`);
    writeFileSync(join(alone, 'main.mjs'), imports.join('\n'));
    execFileSync(process.execPath, ['main.mjs'], { cwd: alone, stdio: 'pipe' });
    const { bin } = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8'));
    const help = execFileSync(process.execPath, [join(home, bin.enclavectl), '--help'], { cwd: alone });
    expect(help.toString()).toContain('Usage: enclavectl');
  } finally {
    rmSync(alone, { recursive: true, force: true });
  }
});
