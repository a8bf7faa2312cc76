import { expect, test } from 'vitest';
import type { Kube } from '../../platform/kube/kube.ts';
import { EventReporter } from '../../webhook/keeper/event-reporter.ts';
import type { Finding } from '../../webhook/keeper/finding.ts';

test('a cluster full of findings is told of them fifty at a time, each once', async () => {
  const told: string[] = [];
  const kube: Pick<Kube, 'create'> = {
    create: async (_resource, object) => {
      told.push(object.metadata?.name ?? '');
      return object;
    },
  };
  const reporter = new EventReporter(kube as Kube, { now: () => 1_800_000_000_000 });
  const findings = Array.from({ length: 120 }, (_, i): Finding => {
    const about = {
      apiVersion: 'v1',
      kind: 'Pod',
      namespace: 'shop',
      name: `p-${i}`,
      uid: `u-${i}`,
    } as const;
    return { reason: 'sidecar-missing', about, message: 'bare' };
  });
  const { signal } = new AbortController();
  const turns: [number, boolean][] = [];
  for (let turn = 0; turn < 4; turn += 1) {
    const { more } = await reporter.report(findings, signal);
    turns.push([told.length, more]);
  }
  expect(turns).toEqual([
    [50, true],
    [100, true],
    [120, false],
    [120, false],
  ]);
  expect(new Set(told).size).toBe(120);
});
