import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { rolldown } from 'rolldown';

const NATIVE = ['better-sqlite3', 'pkcs11js', 'pg', 'pg-native'];

export interface BundleOptions {
  readonly entry: string;
  readonly directory: string;
  /** Name of the entry's file, without `.js`. */
  readonly file: string;
  /** Without white space and comments, in ASCII: a source is held in memory as long as its process lives, with two bytes a character if one of them is not Latin. */
  readonly small: boolean;
}

/** One ESM bundle, native modules external, what is imported on demand in files of its own. */
export async function bundle({ entry, directory, file, small }: BundleOptions): Promise<void> {
  const made = await rolldown({
    input: entry,
    platform: 'node',
    external: (id) => NATIVE.some((native) => id === native || id.startsWith(`${native}/`)),
    onLog: (level, log, handler) => {
      if (level === 'warn' && log.code !== 'EVAL') handler(level, log);
    },
  });
  await made.write({
    dir: directory,
    format: 'esm',
    entryFileNames: `${file}.js`,
    minify: small ? { compress: true, mangle: false, codegen: { removeWhitespace: true } } : false,
    sourcemap: false,
  });
  await made.close();
  if (!small) return;
  for (const name of readdirSync(directory)) {
    const path = join(directory, name);
    writeFileSync(path, readFileSync(path, 'utf8').replace(/\P{ASCII}/gu, escaped));
  }
}

/** A character as a string, a template or an identifier may hold it: one escape a UTF-16 unit. */
function escaped(character: string): string {
  const units = Array.from({ length: character.length }, (_, i) => character.charCodeAt(i));
  return units.map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`).join('');
}
