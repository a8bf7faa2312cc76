import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { TPM_FAILURE_KINDS } from '../../agent/attestation/tpm-failure.ts';
import { DOCTOR_CODES } from '../../client/command/doctor/code.ts';
import { LAUNCH_REMEDIES } from '../../licensing/codes/launch-code.ts';
import { FINDING_REASONS } from '../../webhook/keeper/finding.ts';
import { section } from '../support/markdown.ts';
import { unionOf } from '../support/union-of.ts';

/** The operator's page and what it is about say the same, in both directions. */

const page = readFileSync('docs/operating.md', 'utf8');
const { groups } = parse(readFileSync('charts/licensing/files/alerts.yaml', 'utf8')) as {
  groups: { rules: { alert: string; expr: string; labels: { severity: string } }[] }[];
};
const rules = groups.flatMap((group) => group.rules);

test('every alert has its heading, says how bad it is, and every heading an alert', () => {
  const sections = [...page.matchAll(/^#### (\w+)\n\n\*(\w+)\.\*/gm)].map(([, alert, severity]) => ({
    alert,
    severity,
  }));
  expect(sections).toEqual(rules.map(({ alert, labels: { severity } }) => ({ alert, severity })));
});

/** Labels that an alert is told apart by, and values of them that its expression asks for. */
function codesOf(expr: string): string[] {
  const by = [...expr.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, labels = '']) => labels.split(/,\s*/));
  return [...expr.matchAll(/(\w+)=~?"([^"]*)"/g)].flatMap(([, label = '', values = '']) =>
    by.includes(label) ? values.split('|') : [],
  );
}

/** Of alerts whose expression takes any value, what it can be. */
const ANY: Readonly<Record<string, readonly string[]>> = {
  EnclaveTpmFailing: TPM_FAILURE_KINDS,
  EnclaveCertificateRequestsFailing: unionOf('certs/code.ts', 'CertsCode'),
  EnclaveEnrolmentRefused: unionOf('certs/code.ts', 'CertsCode'),
  EnclaveFindings: FINDING_REASONS,
  // Of profiles, which the launcher reads, it says nothing.
  EnclaveWebhookRefusing: unionOf('injection/code.ts', 'InjectionCode').filter(
    (code) => code !== 'profile-invalid',
  ),
  EnclaveLaunchesFailing: Object.keys(LAUNCH_REMEDIES),
};

/** An alert's entry, and what it links to: sections, or pages where no section is named. */
function told(alert: string): string {
  const entry = section(page, alert.toLowerCase()) ?? '';
  const links = [...entry.matchAll(/\]\(([\w-]+\.md)?(?:#([^)\s]+))?\)/g)];
  const linked = links.map(([, file, fragment]) => {
    const text = file === undefined ? page : readFileSync(`docs/${file}`, 'utf8');
    return fragment === undefined ? text : section(text, fragment);
  });
  return [entry, ...linked].join('\n');
}

test('codes are found where an expression asks for them', () => {
  const expr = 'sum by (instance, code) (rate(x{code=~"a|b-c",other="d"}[5m])) or y{code!="e",code!~"f|g"}';
  expect(codesOf(expr)).toEqual(['a', 'b-c']);
  expect(Object.values(ANY).every((codes) => codes.length > 8)).toBe(true);
});

test('every code that an alert can be raised with is explained in its entry or where that leads', () => {
  const cases = rules.map(({ alert, expr }) => ({ alert, codes: [...codesOf(expr), ...(ANY[alert] ?? [])] }));
  expect(cases.filter(({ codes }) => codes.length > 0).length).toBeGreaterThan(9);
  const silent = cases.flatMap(({ alert, codes }) => {
    const text = told(alert);
    return codes.filter((code) => !text.includes(`\`${code}\``)).map((code) => `${alert}: ${code}`);
  });
  expect(silent).toEqual([]);
});

test('every code of doctor is explained, and every one that is explained exists', () => {
  const [, table = ''] = /^## What doctor finds\n(.*?)^## /ms.exec(page) ?? [];
  const named = [...table.matchAll(/^\| (.*?) \|/gm)]
    .flatMap(([, cell = '']) => [...cell.matchAll(/`([a-z-]+)`/g)])
    .map(([, code = '']) => code);
  expect([...named].sort()).toEqual([...DOCTOR_CODES].sort());
});
