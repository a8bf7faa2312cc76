import { expect, test } from 'vitest';
import { isLiving, launchedEnclaves, runs } from '../../certs/evaluate/living-pod.ts';
import { ownerKeys } from '../../certs/evaluate/owner-keys.ts';
import type { Pod } from '../../platform/kube/resources.ts';
import { launchedEnclavePod } from './enclave-pod.ts';

const OWNER = 'ab'.repeat(32);
const pod = launchedEnclavePod({ enclave: 'e1', ownerKeySha256: OWNER });
const going: Partial<Pod> = { metadata: { ...pod.metadata, deletionTimestamp: '2026-11-22T00:00:00Z' } };

test.each<[string, Partial<Pod>, { runs: boolean; lives: boolean }]>([
  ['that runs', {}, { runs: true, lives: true }],
  ['that is being deleted', going, { runs: true, lives: false }],
  ['that succeeded', { status: { phase: 'Succeeded' } }, { runs: false, lives: false }],
  [
    'that failed while it was being deleted',
    { ...going, status: { phase: 'Failed' } },
    { runs: false, lives: false },
  ],
])('a pod %s: whose owner’s word counts, and for what', (_, change, expected) => {
  const pods = [{ ...pod, ...change } as Pod];
  expect(ownerKeys('e1', pods, runs)).toEqual(expected.runs ? [OWNER] : []);
  expect(ownerKeys('e1', pods, isLiving)).toEqual(expected.lives ? [OWNER] : []);
  expect(ownerKeys('e2', pods, runs)).toEqual([]);
  expect([...launchedEnclaves(pods)]).toEqual(expected.runs ? ['e1'] : []);
});
