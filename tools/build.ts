/**
 * One ESM bundle a component in dist/<component>/main.js, native modules external, and the library in dist/library. Skipped when nothing that goes into
 * a bundle is newer than the last build.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { buildLibrary } from './build-library.ts';
import { bundle, type Contents } from './bundle.ts';

/** Name, entry, and what runs in a thread or a process of its own: bundles beside its main.js. */
const COMPONENTS: readonly (readonly [string, string, Readonly<Record<string, string>>?])[] = [
  ['agent', 'agent/main.ts', { 'tpm-relay': 'agent/relay/main.ts' }],
  ['certs', 'certs/main.ts'],
  ['webhook', 'webhook/main.ts'],
  ['sidecar', 'sidecar/main.ts'],
  ['front', 'licensing/front/main.ts', { 'password-worker': 'licensing/front/passwords/password-worker.ts' }],
  ['launcher', 'licensing/launcher/main.ts'],
  ['enclavectl', 'client/command/main.ts'],
  ['demo-app', 'tools/demo/app/main.ts'],
];
/** Folders that a component reads as they stand, beside its main.js under their own name: to, from. */
const READ_AS_FILES: readonly (readonly [string, string])[] = [
  ['dist/enclavectl/export', 'client/library/bundle/export'],
  ['dist/enclavectl/release', 'client/command/doctor/release'],
];
/** Before anything is imported, so that an old Node says what to do instead of a syntax error. */
const NODE_CHECK =
  "if (Number(process.versions.node.split('.')[0]) < 24) { console.error('enclavectl needs Node.js 24 or later; this is ' + process.version + '.'); process.exit(2); }";

const sources = execFileSync(
  'git',
  [
    'ls-files',
    '--cached',
    '--others',
    '--exclude-standard',
    '*.ts',
    '*.json',
    '*.sql',
    '*.sh',
    '*.py',
    '*.yaml',
  ],
  {
    encoding: 'utf8',
  },
)
  .split('\n')
  .filter((file) => file !== '' && !file.startsWith('test/') && existsSync(file));
const stamp = createHash('sha256');
for (const file of sources) stamp.update(`${file}\0${statSync(file).size}\0`).update(readFileSync(file));
const digest = stamp.digest('hex');

if (!existsSync('dist/stamp') || readFileSync('dist/stamp', 'utf8') !== digest) {
  rmSync('dist', { recursive: true, force: true });
  const bundles = COMPONENTS.flatMap(([name, input, threads]) =>
    Object.entries({ main: input, ...threads }).map(([file, entry]) => ({ name, file, entry })),
  );
  const contents: Record<string, Contents[]> = {};
  for (const { name, file, entry } of bundles) {
    // It runs in every pod.
    const small = name === 'sidecar';
    const made = await bundle({ entry, directory: `dist/${name}`, file, small });
    contents[name] = [...(contents[name] ?? []), made];
  }
  // What the images hold besides, and what their SBOMs list.
  writeFileSync('dist/contents.json', JSON.stringify(contents));
  await buildLibrary();
  for (const [to, from] of READ_AS_FILES) cpSync(from, to, { recursive: true, dereference: true });
  writeFileSync(
    'dist/enclavectl.js',
    `#!/usr/bin/env node\n${NODE_CHECK}\nawait import('./enclavectl/main.js');\n`,
    { mode: 0o755 },
  );
  writeFileSync('dist/stamp', digest);
}
