import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const pages = [
  'README.md',
  'SECURITY.md',
  'CONTRIBUTING.md',
  'charts/licensing/README.md',
  ...readdirSync(join(root, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];
const textOf = (page: string): string => readFileSync(join(root, page), 'utf8');

test('no page holds what a merge left behind', () => {
  expect(pages.filter((page) => /^(<{7}|={7}|>{7})( |$)/m.test(textOf(page)))).toEqual([]);
});

test('every link of a page leads to a file of this repository', () => {
  const broken = pages.flatMap((page) =>
    [...textOf(page).matchAll(/\]\((?![a-z]+:|#)([^)#\s]+)/g)]
      .map(([, target = '']) => target)
      .filter((target) => !existsSync(join(root, dirname(page), target)))
      .map((target) => `${page}: ${target}`),
  );
  expect(broken).toEqual([]);
});

test('every path of code that a page names exists', () => {
  const named =
    /`((?:agent|bench|certs|charts|client|devcluster|formats|injection|licensing|names|platform|proto|sidecar|test|tools|tpm|verify|webhook)\/[\w./-]+)`/g;
  const missing = pages.flatMap((page) =>
    [...textOf(page).matchAll(named)]
      .map(([, path = '']) => path)
      .filter((path) => !existsSync(join(root, path)))
      .map((path) => `${page}: ${path}`),
  );
  expect(missing).toEqual([]);
});
