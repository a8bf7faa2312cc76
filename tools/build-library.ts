import { execFileSync } from 'node:child_process';
import { cpSync, globSync, readFileSync, writeFileSync } from 'node:fs';
import { rolldown } from 'rolldown';

/** The entries of the package's `exports`, and where each runs. */
const ENTRIES = { verify: 'browser', evidence: 'browser', tpm: 'browser', client: 'node' } as const;
/** A relative specifier of our sources in a declaration. */
const SOURCE = /(from |import\()(['"])(\.{1,2}\/[^'"]+)\.ts\2/g;

/** Writes dist/library: an ESM bundle an entry, each whole in itself, and the declarations of their sources with docstrings. */
export async function buildLibrary(): Promise<void> {
  for (const [entry, platform] of Object.entries(ENTRIES)) {
    const bundle = await rolldown({ input: `client/exports/${entry}.ts`, platform });
    await bundle.write({
      file: `dist/library/${entry}.js`,
      format: 'esm',
      codeSplitting: false,
      minify: false,
      sourcemap: false,
    });
    await bundle.close();
  }
  cpSync('client/library/bundle/export', 'dist/library/export', { recursive: true });
  execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tools/library.tsconfig.json'], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  // tsc leaves `./x.ts` in declarations, where older compilers would look for the source.
  for (const file of globSync('dist/library/types/**/*.d.ts'))
    writeFileSync(file, readFileSync(file, 'utf8').replaceAll(SOURCE, '$1$2$3.js$2'));
}
