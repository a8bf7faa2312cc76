import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { DOCTOR_CODES } from '../../client/command/doctor/code.ts';

/** The operator's page and what it is about say the same, in both directions. */

const page = readFileSync('docs/operating.md', 'utf8');
const { groups } = parse(readFileSync('charts/licensing/files/alerts.yaml', 'utf8')) as {
  groups: { rules: { alert: string; labels: { severity: string } }[] }[];
};
const rules = groups.flatMap((group) => group.rules);

test('every alert has its heading, says how bad it is, and every heading an alert', () => {
  const sections = [...page.matchAll(/^#### (\w+)\n\n\*(\w+)\.\*/gm)].map(([, alert, severity]) => ({
    alert,
    severity,
  }));
  expect(sections).toEqual(rules.map(({ alert, labels: { severity } }) => ({ alert, severity })));
});

test('every code of doctor is explained, and every one that is explained exists', () => {
  const [, table = ''] = /^## What doctor finds\n(.*?)^## /ms.exec(page) ?? [];
  const named = [...table.matchAll(/^\| (.*?) \|/gm)]
    .flatMap(([, cell = '']) => [...cell.matchAll(/`([a-z-]+)`/g)])
    .map(([, code = '']) => code);
  expect([...named].sort()).toEqual([...DOCTOR_CODES].sort());
});
