import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { metricsOf } from '../support/metrics-of.ts';
import { CASES } from './alert-cases.ts';

/** That each alert is raised by what it is about is promtool's to say (tools/kubernetes/alerts.sh); that it can be raised at all is said here. */

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: { readonly severity: string };
  readonly annotations: {
    readonly summary: string;
    readonly description: string;
    readonly runbook_url: string;
  };
}

const { groups } = parse(readFileSync('charts/licensing/files/alerts.yaml', 'utf8')) as {
  groups: { rules: Rule[] }[];
};
const rules = groups.flatMap((group) => group.rules);

const ROOMS = {
  agent: ['agent'],
  certs: ['certs', 'platform/rpc'],
  front: ['licensing/front', 'licensing/trust', 'platform/rpc'],
  launcher: ['licensing/launcher', 'licensing/trust', 'platform/rpc'],
  sidecar: ['sidecar'],
  webhook: ['webhook'],
} as const;

test('every metric of the rules is one that a component has', () => {
  const known = new Set(
    Object.entries(ROOMS).flatMap(([component, rooms]) =>
      rooms.flatMap((room) => metricsOf(room)).map((name) => `enclave_${component}_${name}`),
    ),
  );
  const named = new Set(rules.flatMap(({ expr }) => expr.match(/\benclave_\w+/g) ?? []));
  expect(named.size).toBeGreaterThan(30);
  const strange = [...named].filter(
    (name) =>
      !known.has(name.replace(/_(bucket|count|sum)$/, '')) &&
      !known.has(name) &&
      // prom-client's own.
      !name.endsWith('_process_cpu_seconds_total'),
  );
  expect(strange).toEqual([]);
});

test('every rule has a case, says how bad it is, what to read, and its name once', () => {
  const names = rules.map(({ alert }) => alert);
  expect(Object.keys(CASES).sort()).toEqual([...names].sort());
  expect(new Set(names).size).toBe(names.length);
  for (const { alert, labels, annotations } of rules) {
    expect(['critical', 'warning'], alert).toContain(labels.severity);
    expect(annotations.summary.length, alert).toBeGreaterThan(10);
    expect(annotations.description.length, alert).toBeGreaterThan(10);
    expect(annotations.runbook_url).toBe(`docs/operating.md#${alert.toLowerCase()}`);
  }
});
