import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { createProgram } from '../../client/command/program.ts';
import { anchor } from '../support/markdown.ts';

/** What the pages tell people to type exists: commands and flags of enclavectl, targets of make, values of the chart. */

const pages = ['README.md', 'SECURITY.md', ...readdirSync('docs').map((name) => `docs/${name}`)].filter(
  (page) => page.endsWith('.md'),
);
const textOf = (page: string): string => readFileSync(page, 'utf8');

const program = createProgram(() => {
  throw new Error('nothing is run here');
});

/** Undefined when the words name no command, or a flag is none of it. */
function trouble(line: string): string | undefined {
  const words = line.split(/\s+/).filter((word) => word !== '');
  let command: Command = program;
  const flags: string[] = [];
  for (const word of words) {
    if (word.startsWith('--')) flags.push(word.replace(/=.*$/, ''));
    else if (flags.length === 0 && command.commands.length > 0) {
      const next = command.commands.find((each) => each.name() === word);
      if (next === undefined)
        return command === program ? `no command ${word}` : `no ${command.name()} ${word}`;
      command = next;
    }
  }
  const known = (flag: string): boolean =>
    flag === '--help' || [...command.options, ...program.options].some((option) => option.long === flag);
  const wrong = flags.find((flag) => !known(flag));
  return wrong === undefined ? undefined : `${command.name()} has no ${wrong}`;
}

/** What follows `enclavectl` in code: lines of blocks, and inline. */
function commandsOf(text: string): string[] {
  const blocks = [...text.matchAll(/^```[a-z]*\n(.*?)^```/gms)].flatMap(([, body = '']) =>
    body.replaceAll('\\\n', ' ').split('\n'),
  );
  const inline = [...text.replace(/^```.*?^```/gms, '').matchAll(/`([^`\n]+)`/g)].map(
    ([, code = '']) => code,
  );
  const lines = [...blocks, ...inline].flatMap((line) => line.split(/;|&&/));
  return lines.flatMap((line) => {
    const [, rest] = /^(?:\w+\$\s+|\$\s+)?enclavectl\s+([a-z-].*)$/.exec(line.trim()) ?? [];
    return rest === undefined ? [] : [rest.replace(/\s+#.*$/, '').replace(/\s*[|>].*$/, '')];
  });
}

test('a command that does not exist would be found', () => {
  expect(trouble('admin nodes ls')).toBeUndefined();
  expect(trouble('admin nodes forget n1')).toBe('no nodes forget');
  expect(trouble('doctor --server a:1 --repair')).toBe('doctor has no --repair');
  expect(
    commandsOf(
      'see `enclavectl ls --all; enclavectl logout`\n```\nalice$  enclavectl stop X   # ends it\n```\n',
    ),
  ).toEqual(['stop X', 'ls --all', 'logout']);
});

test('every enclavectl command of the pages exists, with its flags', () => {
  const found = pages.flatMap((page) => commandsOf(textOf(page)).map((line) => ({ page, line })));
  expect(found.length).toBeGreaterThan(60);
  const wrong = found.flatMap(({ page, line }) => {
    const why = trouble(line);
    return why === undefined ? [] : [`${page}: enclavectl ${line}: ${why}`];
  });
  expect(wrong).toEqual([]);
});

test('every target of make that a page names exists', () => {
  const targets = new Set([...textOf('Makefile').matchAll(/^([a-z0-9-]+):/gm)].map(([, name]) => name));
  const named = pages.flatMap((page) =>
    [...textOf(page).matchAll(/`make ([a-z0-9-]+)/g)].map(([, name = '']) => ({ page, name })),
  );
  expect(named.length).toBeGreaterThan(10);
  expect(named.filter(({ name }) => !targets.has(name))).toEqual([]);
});

/** Our programs need Node 24, and whoever reads a page may have 20: make starts them, or the node of node_modules. */
const bareNode = /(?<![\w./-])node\s+(?:-\S+\s+)*[\w./-]+\.[cm]?[jt]s\b/g;

test('a program that is started with whatever node there is would be found', () => {
  const found = 'A=b node bench/main.ts x; `node --flag dist/a.js`; node_modules/.bin/node bench/main.ts';
  expect(found.match(bareNode)).toEqual(['node bench/main.ts', 'node --flag dist/a.js']);
});

test('no page starts a program of ours with whatever node there is', () => {
  const listed = ['ls-files', '--cached', '--others', '--exclude-standard', '*.md'];
  const all = execFileSync('git', listed, { encoding: 'utf8' }).trim().split('\n');
  expect(all.length).toBeGreaterThan(pages.length);
  const wrong = all.flatMap((page) => (textOf(page).match(bareNode) ?? []).map((line) => `${page}: ${line}`));
  expect(wrong).toEqual([]);
});

test('make help names every target', () => {
  const [, declared = ''] = /^\.PHONY: (.*)$/m.exec(textOf('Makefile')) ?? [];
  const told = [...execFileSync('make', ['help'], { encoding: 'utf8' }).matchAll(/^ {2}make (\S+)/gm)];
  expect(told.map(([, name]) => name).sort()).toEqual(declared.split(' ').sort());
});

test('every value of the chart that the operator’s pages name exists', () => {
  const values: unknown = parse(textOf('charts/licensing/values.yaml'));
  const has = (path: string): boolean => {
    let at = values;
    for (const part of path.split('.')) {
      if (typeof at !== 'object' || at === null || !Object.hasOwn(at, part)) return false;
      at = (at as Record<string, unknown>)[part];
    }
    return true;
  };
  const top = Object.keys(values as object).join('|');
  const pages = ['agent', 'certs', 'install', 'licensing', 'operating'].map((name) => `docs/${name}.md`);
  const named = pages.flatMap((page) =>
    [...textOf(page).matchAll(new RegExp(`\`((?:${top})(?:\\.[A-Za-z]+)+)(?=[\`: ])`, 'g'))].map(
      ([, path = '']) => ({ page, path }),
    ),
  );
  expect(named.length).toBeGreaterThan(20);
  expect(named.filter(({ path }) => !has(path))).toEqual([]);
});

test('every link to a heading leads to one', () => {
  const headings = new Map(
    pages.map((page) => [
      page.replace('docs/', ''),
      new Set([...textOf(page).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => anchor(heading))),
    ]),
  );
  const links = pages.flatMap((page) =>
    [...textOf(page).matchAll(/\]\(([\w-]*\.md)?#([^)\s]+)\)/g)].map(([, target, fragment = '']) => ({
      page,
      target: target ?? page.replace('docs/', ''),
      fragment,
    })),
  );
  expect(links.length).toBeGreaterThan(20);
  expect(links.filter(({ target, fragment }) => headings.get(target)?.has(fragment) === false)).toEqual([]);
});
