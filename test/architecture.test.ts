import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseSync } from 'oxc-parser';
import { describe, expect, test } from 'vitest';

/**
 * The import table: what each room may import of ours, one reason a rule. What is not listed is forbidden;
 * type-only imports count, because a type is knowledge too.
 */
const ROOMS: Record<string, { may: readonly string[]; because: string }> = {
  names: { may: [], because: 'constants know nothing' },
  'proto/gen': { may: [], because: 'generated' },
  'formats/bytes': { may: [], because: 'the only cursor stands alone' },
  'formats/crypto': { may: [], because: 'the seam has two sides and no more' },
  'formats/tpm': { may: ['formats/bytes', 'formats/crypto', 'names'], because: 'formats are pure' },
  'formats/x509': { may: ['formats/bytes', 'formats/crypto', 'names'], because: 'formats are pure' },
  'formats/evidence': {
    may: ['formats', 'names', 'proto/gen/enclave_licensing/evidence', 'proto/gen/enclave_licensing/agent'],
    because: 'evidence is read in one place, and needs its messages',
  },
  verify: { may: ['formats', 'names'], because: 'verification runs wherever the auditor is' },
  platform: {
    may: ['formats', 'names', 'proto/gen'],
    because: 'platform serves every component and knows none',
  },
  injection: { may: ['formats', 'names'], because: 'injection is pure' },
  tpm: { may: ['formats', 'platform'], because: 'the device, not what it is used for' },
  pkcs11: { may: ['platform'], because: 'the device, not what it is used for' },
  webhook: { may: ['formats', 'names', 'platform', 'injection'], because: 'apps meet at proto and formats' },
  sidecar: { may: ['formats', 'names', 'platform'], because: 'runs in every pod: small' },
  agent: {
    may: ['formats', 'verify', 'platform', 'proto/gen', 'names', 'injection', 'tpm'],
    because: 'apps meet at proto and formats',
  },
  certs: {
    may: ['formats', 'verify', 'platform', 'proto/gen', 'names', 'injection', 'tpm', 'pkcs11'],
    because: 'apps meet at proto and formats',
  },
  licensing: {
    may: ['formats', 'verify', 'platform', 'proto/gen', 'names', 'injection'],
    because: 'apps meet at proto and formats',
  },
  client: {
    may: ['formats', 'verify', 'platform', 'proto/gen', 'names', 'injection', 'pkcs11'],
    because: 'apps meet at proto and formats',
  },
  'client/exports': {
    may: [
      ...['formats', 'verify', 'client/library', 'client/state', 'client/failure.ts'],
      ...['platform/crypto', 'platform/identity', 'platform/rpc', 'platform/run'],
    ],
    because: 'what the package offers: names of others, and nothing of its own',
  },
  devcluster: {
    may: ['platform', 'formats/bytes', 'formats/x509', 'names'],
    because: 'starts the others as processes',
  },
};
const FREE_ROOMS = ['tools', 'test', 'bench'];

/** Each driver has one importer. */
const DRIVERS: Record<string, readonly string[]> = {
  '@kubernetes/client-node': ['platform/kube/'],
  '@grpc/grpc-js': ['platform/rpc/', 'proto/gen/'],
  '@grpc/reflection': ['platform/rpc/'],
  'grpc-health-check': ['platform/rpc/'],
  'better-sqlite3': ['licensing/store/'],
  pg: ['licensing/store/'],
  pkcs11js: ['pkcs11/'],
  pino: ['platform/log/'],
  'prom-client': ['platform/metrics/'],
};

/** What must never reach the sidecar, not even through platform. */
const NOT_IN_SIDECAR = [
  '@kubernetes/client-node',
  '@grpc/grpc-js',
  '@grpc/reflection',
  'grpc-health-check',
  'fastify',
  'pino',
  'prom-client',
];

/** Pure rooms touch no file, network, environment, clock or randomness. */
const PURE = ['names', 'formats', 'verify', 'injection'];

const root = fileURLToPath(new URL('..', import.meta.url));
const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.ts'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\n')
  .filter((file) => file !== '' && !file.startsWith('dist/'));

interface Import {
  readonly specifier: string;
  readonly typeOnly: boolean;
}

/** Static, dynamic and type-only imports, `export from` and `import('x').T` of a source text. */
function importsOf(path: string, text: string): Import[] {
  const parsed = parseSync(path, text);
  if (parsed.errors.length > 0) throw new Error(`${path}: ${parsed.errors[0]?.message}`);
  const found: Import[] = [];
  for (const entry of parsed.module.staticImports)
    found.push({
      specifier: entry.moduleRequest.value,
      typeOnly: entry.entries.length > 0 && entry.entries.every((e) => e.isType),
    });
  for (const entry of parsed.module.staticExports)
    for (const each of entry.entries)
      if (each.moduleRequest) found.push({ specifier: each.moduleRequest.value, typeOnly: each.isType });
  for (const entry of parsed.module.dynamicImports) {
    const literal = /^['"](.*)['"]$/.exec(text.slice(entry.moduleRequest.start, entry.moduleRequest.end));
    if (literal?.[1] !== undefined) found.push({ specifier: literal[1], typeOnly: false });
  }
  for (const match of text.matchAll(/\bimport\(\s*['"]([^'"]+)['"]\s*\)\s*\./g))
    if (match[1] !== undefined) found.push({ specifier: match[1], typeOnly: true });
  return found;
}

function resolve(from: string, specifier: string): string | undefined {
  return specifier.startsWith('.') ? normalize(join(dirname(from), specifier)) : undefined;
}

function roomOf(file: string): string | undefined {
  return Object.keys(ROOMS)
    .filter((room) => file.startsWith(`${room}/`))
    .sort((a, b) => b.length - a.length)[0];
}

function packageOf(specifier: string): string {
  const parts = specifier.split('/');
  return specifier.startsWith('@') ? parts.slice(0, 2).join('/') : (parts[0] ?? specifier);
}

/** Every breach of the table by one file. */
function breaches(file: string, text: string): string[] {
  if (FREE_ROOMS.some((room) => file.startsWith(`${room}/`)) || !file.includes('/')) return [];
  const room = roomOf(file);
  if (room === undefined) return [`${file}: in no room`];
  const rule = ROOMS[room];
  const found: string[] = [];
  const isMain = file.endsWith('/main.ts');
  for (const { specifier } of importsOf(file, text)) {
    const target = resolve(file, specifier);
    if (target === undefined) {
      const owners = DRIVERS[packageOf(specifier)];
      if (owners && !owners.some((owner) => file.startsWith(owner)))
        found.push(`${file}: ${specifier} is imported by ${owners.join(', ')} only`);
      if (PURE.some((pure) => file.startsWith(`${pure}/`)) && specifier.startsWith('node:'))
        found.push(`${file}: ${specifier} in a pure room`);
      continue;
    }
    if (target.endsWith('/main.ts')) found.push(`${file}: ${target}: nothing imports a main`);
    if (target.startsWith(`${room}/`)) continue;
    const allowed = isMain ? ['platform'] : (rule?.may ?? []);
    if (!allowed.some((may) => target === may || target.startsWith(`${may}/`)))
      found.push(`${file}: ${room} may not import ${target} (${rule?.because})`);
    if (room === 'sidecar' && /^platform\/(kube|rpc)\//.test(target))
      found.push(`${file}: the sidecar may not import ${target}`);
  }
  if (PURE.some((pure) => file.startsWith(`${pure}/`)))
    for (const global of [
      'Date.now(',
      'new Date()',
      'Math.random(',
      'process.',
      'crypto.getRandomValues',
      'fetch(',
    ])
      if (text.includes(global)) found.push(`${file}: ${global} in a pure room`);
  if (
    !file.startsWith('platform/config/') &&
    !file.startsWith('devcluster/') &&
    /\bprocess\.env\b/.test(text)
  )
    found.push(`${file}: only platform/config reads the environment`);
  return found;
}

describe('import table', () => {
  test('holds in every file', () => {
    expect(files.flatMap((file) => breaches(file, readFileSync(join(root, file), 'utf8')))).toEqual([]);
  });

  test('sees static, dynamic, type-only and re-exported imports', () => {
    for (const text of [
      "import { x } from '../agent/app.ts';",
      "import type { X } from '../agent/app.ts';",
      "export * from '../agent/app.ts';",
      "await import('../agent/app.ts');",
      "let x: import('../agent/app.ts').X;",
    ])
      expect(breaches('certs/app.ts', text), text).toHaveLength(1);
    expect(breaches('verify/verify.ts', "import { readFileSync } from 'node:fs';")).toHaveLength(1);
    expect(breaches('agent/main.ts', "import { x } from '../tpm/executor.ts';")).toHaveLength(1);
    expect(breaches('elsewhere/x.ts', '')).toHaveLength(1);
  });
});

describe('exports', () => {
  const entries = files.filter((file) => file.startsWith('client/exports/'));

  test('hold nothing but names of others', () => {
    for (const file of entries) {
      const { program } = parseSync(file, readFileSync(join(root, file), 'utf8'));
      expect(
        program.body.map(({ type }) => type).filter((type) => type !== 'ExportNamedDeclaration'),
      ).toEqual([]);
    }
  });

  test('run anywhere, but for the client', () => {
    const anywhere = entries.filter((file) => file !== 'client/exports/client.ts');
    expect(anywhere).toHaveLength(3);
    for (const file of anywhere)
      for (const { specifier } of importsOf(file, readFileSync(join(root, file), 'utf8')))
        expect(specifier).toMatch(/^\.\.\/\.\.\/(formats|verify)\//);
  });
});

describe('sidecar', () => {
  test('loads none of the heavy packages', () => {
    const seen = new Set<string>();
    const packages = new Set<string>();
    const visit = (file: string): void => {
      if (seen.has(file)) return;
      seen.add(file);
      for (const { specifier, typeOnly } of importsOf(file, readFileSync(join(root, file), 'utf8'))) {
        if (typeOnly) continue;
        const target = resolve(file, specifier);
        if (target === undefined) packages.add(packageOf(specifier));
        else visit(target);
      }
    };
    for (const file of files.filter((each) => each.startsWith('sidecar/'))) visit(file);
    expect(NOT_IN_SIDECAR.filter((name) => packages.has(name))).toEqual([]);
  });
});

describe('shape', () => {
  const ours = files.filter((file) => !file.startsWith('proto/gen/'));

  test('no file holds two things: at most 300 lines, tables 800', () => {
    const long = ours.filter((file) => {
      const text = readFileSync(join(root, file), 'utf8');
      const isTable = /^formats\/tpm\/(commands|structures)\.ts$|\/tables?\//.test(file);
      const limit = isTable ? 800 : 300;
      return text.split('\n').length - 1 > limit;
    });
    expect(long).toEqual([]);
  });

  test('no folder is named after nothing, no barrel file', () => {
    expect(ours.filter((file) => /(^|\/)(utils?|helpers?|common|lib|misc)\//.test(file))).toEqual([]);
    expect(ours.filter((file) => /(^|\/)index\.ts$/.test(file))).toEqual([]);
  });

  test('main.ts is thin', () => {
    const thick = ours.filter(
      (file) =>
        file.endsWith('/main.ts') &&
        !FREE_ROOMS.some((room) => file.startsWith(room)) &&
        readFileSync(join(root, file), 'utf8').split('\n').length > 25,
    );
    expect(thick.map((file) => relative('.', file))).toEqual([]);
  });
});
