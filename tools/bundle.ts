import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { rolldown } from 'rolldown';

const NATIVE = ['better-sqlite3', 'pkcs11js'];
/** What pg tries elsewhere than here. */
const ABSENT = ['pg-native', 'pg-cloudflare'];

export interface BundleOptions {
  readonly entry: string;
  readonly directory: string;
  /** Name of the entry's file, without `.js`. */
  readonly file: string;
  /** Without white space and comments, in ASCII: a source is held in memory as long as its process lives, with two bytes a character if one of them is not Latin. */
  readonly small: boolean;
}

/** What went into a bundle: packages by their paths in package-lock.json, and those that it imports when it runs. */
export interface Contents {
  readonly bundled: readonly string[];
  readonly external: readonly string[];
}

/** One ESM bundle, native modules external, what is imported on demand in files of its own. */
export async function bundle({ entry, directory, file, small }: BundleOptions): Promise<Contents> {
  const made = await rolldown({
    input: entry,
    platform: 'node',
    // A checkout whose node_modules is a link gives the same bundle: paths stand in it.
    resolve: { symlinks: false },
    external: (id) => [...NATIVE, ...ABSENT].some((name) => id === name || id.startsWith(`${name}/`)),
    onLog: (level, log, handler) => {
      if (level === 'warn' && log.code !== 'EVAL') handler(level, log);
    },
  });
  const { output } = await made.write({
    dir: directory,
    format: 'esm',
    entryFileNames: `${file}.js`,
    minify: small ? { compress: true, mangle: false, codegen: { removeWhitespace: true } } : false,
    sourcemap: false,
  });
  await made.close();
  if (small) escapeFiles(directory);
  const chunks = output.filter((each) => each.type === 'chunk');
  const packages = chunks.flatMap(({ moduleIds }) => moduleIds.flatMap(packageOf));
  const imported = chunks.flatMap(({ imports, dynamicImports }) => [...imports, ...dynamicImports]);
  return {
    bundled: [...new Set(packages)].sort(),
    external: NATIVE.filter((native) => imported.includes(native)),
  };
}

/** Path of the package that a module is of, from the checkout; none for our own sources. */
function packageOf(id: string): string[] {
  const found = /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(id)?.[0];
  return found === undefined ? [] : [relative('.', found)];
}

function escapeFiles(directory: string): void {
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
