import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { agentMetrics } from '../../agent/metrics.ts';
import type { Metrics } from '../../platform/metrics/metrics.ts';

/** Metrics that note how they were made: `name` and its labels. */
function described(): { metrics: Metrics; rows: string[] } {
  const rows: string[] = [];
  const row = (name: string, labels: readonly string[] = []): void => {
    rows.push(`${name} ${labels.join(', ')}`.trim());
  };
  const metrics: Metrics = {
    counter: (name, _help, labels) => {
      row(name, labels);
      return { inc: () => {} };
    },
    gauge: (name, _help, labels) => {
      row(name, labels);
      return { set: () => {} };
    },
    histogram: (name, _help, labels) => {
      row(name, labels);
      return { observe: () => {} };
    },
    render: async () => '',
  };
  return { metrics, rows };
}

test('the table in docs/agent.md has every metric with its labels, and no other', async () => {
  const { metrics, rows } = described();
  agentMetrics(metrics);
  const page = await readFile('docs/agent.md', 'utf8');
  const [, section = ''] = page.split('\n## Metrics\n');
  const table = [...section.matchAll(/^\| `([a-z_]+)` \|([^|]*)\|/gm)].map(([, name, labels]) =>
    `${name} ${(labels ?? '').replaceAll('`', '').trim()}`.trim(),
  );
  expect(table.toSorted()).toEqual(rows.toSorted());
});
