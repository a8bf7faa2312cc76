import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fromUtf8, toUtf8 } from '../../formats/bytes/bytes.ts';
import type { Bundle } from '../../formats/evidence/bundle.ts';
import { verify } from '../../verify/verify.ts';
import { dice } from '../support/dice.ts';
import { makeVector, openVector, type Vector } from '../support/vector.ts';
import { compileVerifier, exportVector, runVerifySh, type ShellVerdict } from '../support/verify-sh.ts';

const program = fileURLToPath(new URL('../../client/library/bundle/export/', import.meta.url));
const vectors = new URL('../vectors/evidence/', import.meta.url);
const names = readdirSync(vectors).map((file) => file.replace(/\.json$/, ''));
const readVector = (name: string): Vector =>
  JSON.parse(readFileSync(new URL(`${name}.json`, vectors), 'utf8'));
const good = names.filter((name) => readVector(name).expected === null);

let home: string;
let compiled: string;
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'verify-sh-'));
  compiled = compileVerifier(join(home, 'compiled'));
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

/** Two at a time, as there are cores. */
async function each<T>(items: readonly T[], run: (item: T) => Promise<string>): Promise<string> {
  const left = [...items];
  const found: string[] = [];
  const worker = async () => {
    for (let item = left.pop(); item !== undefined; item = left.pop()) found.push(await run(item));
  };
  await Promise.all([worker(), worker()]);
  return found.filter((text) => text !== '').join('\n');
}

/** Where the shell's verdict is another than ours, told; a bundle that our reader refuses has lost its first check. */
function difference(name: string, shell: ShellVerdict, vector: Vector): string {
  const { bundle, policy, context } = openVector(vector);
  const verdict = bundle && verify(bundle, policy, context);
  const expected = verdict
    ? verdict.checks.map((check) => [check.name, check.ok] as const)
    : ([['bundle-shape', false]] as const);
  const differing = expected.filter(([check, ok]) => shell.outcomes.get(check) !== ok);
  const inOrder = !verdict || [...shell.outcomes.keys()].join() === expected.map(([check]) => check).join();
  return differing.length === 0 && inOrder && shell.exit === (verdict?.ok ? 0 : 1)
    ? ''
    : `${name}: exit ${shell.exit}, expected ${JSON.stringify(differing)}\n${shell.text}`;
}

async function judged(name: string, vector: Vector): Promise<string> {
  const folder = mkdtempSync(join(home, 'export-'));
  const shell = await runVerifySh(folder, exportVector(folder, vector, compiled));
  rmSync(folder, { recursive: true });
  return difference(name, shell, vector);
}

describe('verify.sh', () => {
  test('finds of every check of every vector what enclavectl finds', { timeout: 600_000 }, async () => {
    expect(await each(names, (name) => judged(name, readVector(name)))).toBe('');
  });

  test('the same for 120 bundles with one byte changed', { timeout: 600_000 }, async () => {
    const roll = dice(20_261_123);
    const mutated = Array.from({ length: 120 }, () => {
      const vector: Vector = structuredClone(readVector(good[roll(good.length)] ?? ''));
      return { vector, what: mutateOneByte(vector.bundle as Record<string, unknown>, roll) };
    });
    expect(await each(mutated, ({ vector, what }) => judged(what, vector))).toBe('');
  });

  test('refuses 80 exports with one byte of one file changed', { timeout: 600_000 }, async () => {
    const roll = dice(4_711);
    const cases = Array.from({ length: 80 }, () => ({
      file: roll(1 << 20),
      at: roll(1 << 20),
      by: 1 + roll(255),
    }));
    const accepted = await each(cases, async ({ file, at, by }) => {
      const folder = mkdtempSync(join(home, 'export-'));
      const vector = readVector('good');
      const args = exportVector(folder, vector, compiled);
      const files = readdirSync(folder).filter((name) => !/^(verif|context-|SHA256SUMS)/.test(name));
      const name = files[file % files.length] ?? '';
      const content = readFileSync(join(folder, name));
      const index = at % content.length;
      content[index] = (content[index] ?? 0) ^ by;
      writeFileSync(join(folder, name), content);
      const { exit, outcomes, text } = await runVerifySh(folder, args);
      rmSync(folder, { recursive: true });
      // A file of the exporter's own reference values may be unreadable now: then nothing is judged.
      const refused = exit === 1 ? outcomes.get('bundle-shape') === false : exit === 2 && outcomes.size === 0;
      return refused ? '' : `${name}, byte ${index}: exit ${exit}\n${text}`;
    });
    expect(accepted).toBe('');
  });

  test('executes and writes nothing that a bundle says, in whatever folder it lies', async () => {
    const inside = mkdtempSync(join(home, '-e $(touch hacked)`touch hacked`\n"\' '));
    const touch = 'touch\u0024{IFS}hacked';
    const evil = `$(${touch});\`${touch}\`&&${touch}`;
    const vector = makeVector({
      changes: {
        statement: (statement) => ({ ...statement, access: { ...statement.access, upstream: evil } }),
        bundle: (bundle: Bundle) => ({
          ...bundle,
          endpoint: evil.slice(0, 261),
          serverName: evil.slice(0, 253),
        }),
      },
    });
    const args = exportVector(inside, vector);
    writeFileSync(join(inside, 'json.py'), 'open("hacked", "w")');
    const shell = await runVerifySh(inside, args);
    expect(difference('hostile names', shell, vector)).toBe('');
    expect(existsSync('hacked') || readdirSync(inside).includes('hacked')).toBe(false);
  });

  test('says by what it judged, and beside roots of the caller’s own lets the folder name no others', async () => {
    const folder = mkdtempSync(join(home, 'export-'));
    const vector = readVector('roots-unknown');
    const args = exportVector(folder, vector, compiled);
    const { access } = JSON.parse(readFileSync(join(folder, 'statement.json'), 'utf8'));
    writeFileSync(join(folder, 'trust.json'), JSON.stringify({ rootSets: [access.rootsSha256] }));
    rmSync(join(folder, 'SHA256SUMS'));
    const folders = await runVerifySh(folder, args);
    expect(folders.outcomes.get('roots')).toBe(true);
    expect(folders.text).toMatch(/^judged by roots [0-9a-f]{64}, of the folder$/m);
    expect(folders.text).toMatch(/^judged by trust [0-9a-f]{64}, of the folder$/m);
    const own = await runVerifySh(folder, [...args, '--roots', join(folder, 'roots.json')]);
    expect(own.outcomes.get('roots')).toBe(false);
    expect(own.text).toMatch(
      /^judged by roots [0-9a-f]{64}, given\njudged by policy [0-9a-f]{64}, of the folder\njudged by no trust$/m,
    );
    const pinned = await runVerifySh(folder, [...args, '--roots-sha256', '0'.repeat(64)]);
    expect(pinned.exit).toBe(2);
  });

  test('does not wait for what never ends, and says what is missing', async () => {
    const folder = mkdtempSync(join(home, 'export-'));
    const args = exportVector(folder, readVector('good'));
    rmSync(join(folder, 'attest.bin'));
    execFileSync('mkfifo', [join(folder, 'attest.bin')]);
    expect((await runVerifySh(folder, args)).exit).toBe(1);
    expect(await runVerifySh(folder, [...args, '--policy', '/dev/zero'])).toMatchObject({ exit: 2 });
    const bare = await runVerifySh(folder, args, mkdtempSync(join(home, 'no-tools-')));
    expect(bare.exit).toBe(2);
    expect(bare.text).toContain('tpm2_checkquote is missing: apt-get install tpm2-tools');
  });

  test('is a clean shell script, and its Python compiles', () => {
    execFileSync('shellcheck', [join(program, 'verify.sh')], { stdio: 'pipe' });
    const compile =
      'import pathlib, sys; compile(pathlib.Path(sys.argv[1]).read_text(), sys.argv[1], "exec")';
    for (const name of readdirSync(join(program, 'verifier')))
      execFileSync('/usr/bin/python3', [
        ...['-I', '-B', '-W', 'error', '-c', compile],
        join(program, 'verifier', name),
      ]);
  });
});

/** Changes a byte in one of a bundle's texts, base64 or not, or a number, somewhere in the tree. @returns what */
function mutateOneByte(bundle: Record<string, unknown>, roll: (below: number) => number): string {
  const places: { holder: Record<string, unknown>; key: string; path: string }[] = [];
  const walk = (holder: Record<string, unknown>, path: string): void => {
    for (const [key, value] of Object.entries(holder)) {
      if (typeof value === 'object' && value !== null)
        walk(value as Record<string, unknown>, `${path}${key}.`);
      else places.push({ holder, key, path: `${path}${key}` });
    }
  };
  walk(bundle, '');
  const place = places[roll(places.length)];
  if (!place) throw new Error('an empty bundle');
  const value = place.holder[place.key];
  if (typeof value === 'number') {
    place.holder[place.key] = value ^ (1 << roll(5));
    return `${place.path} ${value}`;
  }
  const text = String(value);
  const binary = !['endpoint', 'serverName'].includes(place.key);
  const bytes = binary ? new Uint8Array(Buffer.from(text, 'base64')) : toUtf8(text);
  const index = roll(bytes.length);
  bytes[index] = binary ? (bytes[index] ?? 0) ^ (1 + roll(255)) : 0x21 + roll(0x5e);
  place.holder[place.key] = binary ? Buffer.from(bytes).toString('base64') : (fromUtf8(bytes) ?? '');
  return `${place.path} byte ${index}`;
}
