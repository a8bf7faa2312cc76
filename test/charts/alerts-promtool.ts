/** Judges the alert rules with promtool: each is raised by its case and by no other, and none where nothing is wrong. Run by tools/kubernetes/alerts.sh. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { CASES, JUDGED_AT, type Scraped, SOUND } from './alert-cases.ts';

const rules = resolve('charts/licensing/files/alerts.yaml');

function unitTest(name: string, different: Scraped, raised: readonly string[]): object {
  const input_series = Object.entries({ ...SOUND, ...different })
    .filter(([, values]) => values !== '')
    .map(([series, values]) => ({ series, values }));
  return {
    name,
    interval: '1m',
    input_series,
    promql_expr_test: [
      {
        expr: 'count by (alertname) (ALERTS{alertstate="firing"})',
        eval_time: JUDGED_AT,
        exp_samples: raised.map((alertname) => ({ labels: `{alertname="${alertname}"}`, value: 1 })),
      },
    ],
  };
}

const folder = mkdtempSync(join(tmpdir(), 'alerts-'));
try {
  const file = join(folder, 'alerts.json');
  const tests = [
    unitTest('nothing is wrong', {}, []),
    ...Object.entries(CASES).map(([alert, different]) => unitTest(alert, different, [alert])),
  ];
  writeFileSync(file, JSON.stringify({ rule_files: [rules], evaluation_interval: '1m', tests }));
  execFileSync('promtool', ['check', 'rules', rules], { stdio: 'inherit' });
  execFileSync('promtool', ['test', 'rules', file], { stdio: 'inherit' });
  console.log(`${Object.keys(CASES).length} alerts are raised by their cases alone`);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
