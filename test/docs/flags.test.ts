import { readdirSync, readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { expect, test } from 'vitest';
import { AGENT_OPTIONS } from '../../agent/options.ts';
import { RELAY_OPTIONS } from '../../agent/relay/options.ts';
import { CERTS_OPTIONS } from '../../certs/options.ts';
import { createProgram } from '../../client/command/program.ts';
import { FRONT_OPTIONS } from '../../licensing/front/options.ts';
import { LAUNCHER_OPTIONS } from '../../licensing/launcher/options.ts';
import { SIDECAR_ENV } from '../../names/sidecar.ts';
import { flagName, type Option, type Options } from '../../platform/config/option.ts';
import { KUBE_OPTIONS } from '../../platform/kube/kube-options.ts';
import { COMMON_OPTIONS } from '../../platform/run/context.ts';
import { SIDECAR_OPTIONS } from '../../sidecar/options.ts';
import { WEBHOOK_OPTIONS } from '../../webhook/options.ts';

/** Every flag is on a page, with its default, and every flag on a page exists. */

const EVERYWHERE: Options = { ...COMMON_OPTIONS, ...KUBE_OPTIONS };
/** The sidecar's others come from annotations and the downward API. */
const SIDECARS_OWN = Object.fromEntries(
  Object.entries<Option>(SIDECAR_OPTIONS).filter(([name]) => !(name in SIDECAR_ENV)),
);
/** Page and heading of the table, and whose flags it has. */
const TABLES: readonly (readonly [string, string, Options])[] = [
  ['docs/operating.md', 'Settings', EVERYWHERE],
  ['docs/agent.md', 'Settings', AGENT_OPTIONS],
  ['docs/agent.md', 'Settings of the relay', RELAY_OPTIONS],
  ['docs/certs.md', 'Settings', CERTS_OPTIONS],
  ['docs/licensing.md', 'Settings of front', FRONT_OPTIONS],
  ['docs/licensing.md', 'Settings of the launcher', LAUNCHER_OPTIONS],
  ['docs/injection.md', 'Serving', WEBHOOK_OPTIONS],
  ['docs/sidecar.md', 'Settings', SIDECARS_OWN],
];

interface Row {
  readonly flag: string;
  readonly default: string;
}

const flagOf = (key: string): string => `--${flagName(key)}`;

/** The rows under a heading; a row may have several flags, and then as many defaults, or one for all. */
function rowsOf(page: string, heading: string): Row[] {
  const text = readFileSync(page, 'utf8');
  const [, section = ''] = new RegExp(`^#+ ${heading}\\n(.*?)^#+ `, 'ms').exec(text) ?? [];
  return [...section.matchAll(/^\| (`--.*?) \| (.*?) \|/gm)].flatMap(([, first = '', second = '']) => {
    const flags = [...first.matchAll(/`(--[a-z0-9-]+)`/g)].map(([, flag = '']) => flag);
    const defaults = second.split(', ');
    return flags.map((flag, i) => ({
      flag,
      default: (defaults.length === flags.length ? defaults[i] : second)?.replaceAll(/[`\s]/g, '') ?? '',
    }));
  });
}

/** As a table says it; undefined: whatever it says, because the help says it in words. */
function defaultOf(option: Option): string | undefined {
  if (option.required) return 'required';
  if (option.default === undefined) return undefined;
  return [option.default].flat().join(',') || 'none';
}

test.each(TABLES)(
  '%s, %s: every flag with its default, and none that is not there',
  (page, heading, options) => {
    const rows = rowsOf(page, heading);
    const own = Object.entries(options).filter(([key]) => options === EVERYWHERE || !(key in EVERYWHERE));
    expect(own.length).toBeGreaterThan(1);
    const known = new Set([...Object.keys(options), ...Object.keys(EVERYWHERE)].map(flagOf));
    expect(rows.map(({ flag }) => flag).filter((flag) => !known.has(flag))).toEqual([]);
    expect(rows.length, 'a flag twice').toBe(new Set(rows.map(({ flag }) => flag)).size);
    const wrong = own.flatMap(([key, option]) => {
      const row = rows.find(({ flag }) => flag === flagOf(key));
      if (row === undefined) return [`${flagOf(key)} is not there`];
      const right = defaultOf(option);
      return right === undefined
        ? []
        : row.default === right
          ? []
          : [`${row.flag}: ${row.default}, not ${right}`];
    });
    expect(wrong).toEqual([]);
  },
);

const program = createProgram(() => {
  throw new Error('nothing is run here');
});

/** Commands that do something, by their words. */
function leaves(command: Command, path: readonly string[] = []): { path: string; command: Command }[] {
  return command.commands.length === 0
    ? [{ path: path.join(' '), command }]
    : command.commands.flatMap((each) => leaves(each, [...path, each.name()]));
}

test('docs/enclavectl.md: every command with its flags, and none that is not there', () => {
  const text = readFileSync('docs/enclavectl.md', 'utf8');
  const [, section = ''] = /^## Every command\n(.*?)^## /ms.exec(text) ?? [];
  const told = [...section.matchAll(/^\| `([a-z -]+?)(?: [[A-Z].*?)?` \| (.*?) \|/gm)].map(
    ([, path = '', flags = '']) => ({
      path,
      flags: [...flags.matchAll(/`(--[a-z0-9-]+)/g)].map(([, flag]) => flag).sort(),
    }),
  );
  const longs = (command: Command) => command.options.map(({ long }) => long).sort();
  const all = leaves(program).map(({ path, command }) => ({ path, flags: longs(command) }));
  expect(all.length).toBeGreaterThan(25);
  const byPath = (a: { path: string }, b: { path: string }): number => (a.path < b.path ? -1 : 1);
  expect(told.sort(byPath)).toEqual(all.sort(byPath));
  const [, everywhere = ''] = /Before or after any command: (.*?)\n\n/s.exec(section) ?? [];
  expect([...everywhere.matchAll(/`(--[a-z-]+)/g)].map(([, flag]) => flag).sort()).toEqual(
    ['--help', ...longs(program)].sort(),
  );
});

/** Of programs that are not ours (Kubernetes, etcd, Helm, a cloud's), of `verify.sh` and of the devcluster. */
const FOREIGN = [
  ...['--admission-control-config-file', '--audit-log-path', '--audit-policy-file', '--client-ca'],
  ...['--disable-network-policy', '--dry-run', '--enable-aggregator-routing', '--enable-secure-boot'],
  ...[
    '--enable-vtpm',
    '--encryption-provider-config',
    '--max-semi-space-size',
    '--reset-then-reuse-values',
    '--reuse-values',
  ],
  ...['--secrets-encryption', '--unsafe-no-fsync', '--dir', '--roots-sha256', '--trust'],
];

test('every flag that a page names exists', () => {
  const pages = ['README.md', 'SECURITY.md', ...readdirSync('docs').map((name) => `docs/${name}`)].filter(
    (page) => page.endsWith('.md'),
  );
  const components = [...TABLES.map(([, , options]) => options), SIDECAR_OPTIONS, EVERYWHERE];
  const commands = [program, ...leaves(program).map(({ command }) => command)];
  const known = new Set([
    ...components.flatMap((options) => Object.keys(options).map(flagOf)),
    ...commands.flatMap(({ options }) => options.map(({ long }) => long)),
    ...['--help', ...FOREIGN],
  ]);
  const named = pages.flatMap((page) =>
    [...readFileSync(page, 'utf8').matchAll(/`(--[a-z][a-z0-9-]*)/g)].map(([, flag = '']) => ({
      page,
      flag,
    })),
  );
  expect(named.length).toBeGreaterThan(150);
  expect(named.filter(({ flag }) => !known.has(flag))).toEqual([]);
  const used = new Set(named.map(({ flag }) => flag));
  expect(FOREIGN.filter((flag) => !used.has(flag))).toEqual([]);
});
