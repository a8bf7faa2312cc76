import { execFile, execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { exportBundle } from '../../client/library/bundle/export-bundle.ts';
import { referenceFiles } from '../../client/library/bundle/export-reference.ts';
import { verifierFiles } from '../../client/library/bundle/export-verifier.ts';
import { toHex } from '../../formats/bytes/bytes.ts';
import type { CheckName } from '../../verify/check-names.ts';
import type { Check } from '../../verify/verdict.ts';
import { openVector, type Vector } from './vector.ts';

/** Debian's tools alone: no node, and no python but the distribution's. */
const DEBIAN = '/usr/bin:/bin';

export interface ShellVerdict {
  readonly exit: number;
  readonly outcomes: ReadonlyMap<CheckName, Check['ok']>;
  readonly text: string;
}

const WORDS: ReadonlyMap<string, Check['ok']> = new Map<string, Check['ok']>([
  ['ok', true],
  ['FAILED', false],
  ['not run', 'not-run'],
]);

/** Runs a folder's verify.sh and reads its lines. */
export function runVerifySh(folder: string, args: readonly string[], path = DEBIAN): Promise<ShellVerdict> {
  return new Promise((resolve, reject) => {
    const program = join(folder, 'verify.sh');
    execFile('/bin/sh', [program, ...args], { env: { PATH: path }, timeout: 60_000 }, (error, out, err) => {
      if (error && typeof error.code !== 'number') return reject(error);
      const lines = [...out.matchAll(/^(ok|FAILED|not run) +([a-z0-9-]+)/gm)];
      resolve({
        exit: typeof error?.code === 'number' ? error.code : 0,
        outcomes: new Map(
          lines.map(([, word = '', name]) => [name as CheckName, WORDS.get(word) ?? false] as const),
        ),
        text: `${out}${err}`,
      });
    });
  });
}

/** Compiles the verifier into `folder`, as Python does by itself where it may write: it knows each file by its hash. @returns the folder for `exportVector` */
export function compileVerifier(folder: string): string {
  for (const [name, content] of Object.entries(verifierFiles())) {
    mkdirSync(join(folder, dirname(name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
  const how = ['-q', '--invalidation-mode', 'checked-hash'];
  execFileSync('/usr/bin/python3', ['-I', '-m', 'compileall', ...how, join(folder, 'verifier')]);
  return join(folder, 'verifier/__pycache__');
}

/**
 * Exports a vector's bundle with what it is judged by into `folder`.
 * @param compiled from `compileVerifier`: saves Python the compiling
 * @returns the arguments that say the rest of its context
 */
export function exportVector(folder: string, vector: Vector, compiled?: string): string[] {
  const { bundle, policy, context } = openVector(vector);
  const { trust, pcrSelection, now, nonce, liveCertificate, ownerKeySha256, grant, seen } = context;
  const reference = { trust: { roots: trust, rootSets: [], pcrSelection }, policy, now };
  if (bundle) exportBundle(folder, bundle, reference);
  else {
    // Our reader refuses this bundle, so there is nothing to export; somebody else may still hand it over.
    const files = {
      ...referenceFiles(reference),
      ...verifierFiles(),
      'bundle.json': JSON.stringify(vector.bundle),
    };
    mkdirSync(join(folder, 'verifier'), { recursive: true });
    for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
  }
  if (compiled !== undefined) symlinkSync(compiled, join(folder, 'verifier/__pycache__'));
  const option = (name: string, value: string | undefined) => (value === undefined ? [] : [name, value]);
  const file = (name: string, content: string | Uint8Array | undefined) => {
    if (content === undefined) return [];
    const path = join(folder, `context-${name}`);
    writeFileSync(path, content);
    return [`--${name}`, path];
  };
  return [
    ...['--at', `${now}`],
    ...option('--nonce', nonce instanceof Uint8Array ? toHex(nonce) : undefined),
    ...option('--owner-key', ownerKeySha256),
    ...file('live', liveCertificate),
    ...file('grant', grant?.grant),
    ...file('grant-signature', grant?.signature),
    ...file('seen', JSON.stringify(seen ?? [])),
  ];
}
