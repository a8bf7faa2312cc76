import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import * as oids from '../../names/oids.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const pages = [
  'README.md',
  'SECURITY.md',
  'CONTRIBUTING.md',
  ...readdirSync(join(root, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];
const textOf = (page: string): string => readFileSync(join(root, page), 'utf8');

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
    /`((?:agent|certs|charts|client|devcluster|formats|injection|licensing|names|platform|proto|sidecar|test|tools|tpm|verify|webhook)\/[\w./-]+)`/g;
  const missing = pages.flatMap((page) =>
    [...textOf(page).matchAll(named)]
      .map(([, path = '']) => path)
      .filter((path) => !existsSync(join(root, path)))
      .map((path) => `${page}: ${path}`),
  );
  expect(missing).toEqual([]);
});

test('the page of formats gives the object identifiers that the code uses', () => {
  const page = textOf('docs/evidence-format.md');
  expect(page).toContain(`\`${oids.ENCLAVE_LICENSING_ARC}\``);
  for (const [name, oid, words] of [
    ['OID_EVIDENCE_CONTENT', oids.OID_EVIDENCE_CONTENT, 'evidence content'],
    ['OID_ENCLAVE_BINDING', oids.OID_ENCLAVE_BINDING, 'enclave binding'],
    ['OID_TPM_TRUST', oids.OID_TPM_TRUST, 'TPM trust'],
    ['OID_USER_BINDING', oids.OID_USER_BINDING, 'user binding'],
  ] as const)
    expect(page, name).toContain(`| \`${oid.slice(oids.ENCLAVE_LICENSING_ARC.length)}\` | ${words}`);
});
