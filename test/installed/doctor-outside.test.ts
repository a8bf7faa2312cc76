import { afterAll, beforeAll, expect, test } from 'vitest';
import { RELEASE_NAME } from '../../tools/cluster/environment.ts';
import { helmOf } from '../../tools/cluster/operate.ts';
import { startWorld, type World } from '../support/world.ts';

/** What an operator runs after `helm install`, from where operators are. */
let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world?.stop());

interface Report {
  readonly checks: readonly {
    readonly check: string;
    readonly findings: readonly {
      readonly severity: string;
      readonly code: string;
      readonly about: string;
    }[];
    readonly unread: readonly string[];
  }[];
}

test('enclavectl doctor: it sees everything, and finds nothing but that the TPMs are emulated', async () => {
  const operator = await world.user('operator');
  const { stdout } = await operator.enclavectl([
    ...['doctor', '--json', '--kubeconfig', world.environment.cluster.kubeconfig],
  ]);
  const { checks } = JSON.parse(stdout) as Report;
  expect(checks.length).toBeGreaterThan(5);
  expect(checks.flatMap(({ unread }) => unread)).toEqual([]);
  const codes = new Set(checks.flatMap(({ findings }) => findings.map(({ code }) => code)));
  expect([...codes]).toEqual(['tpm-emulated']);
});

test('helm test: the same from inside, with rights of its own that end with it', async () => {
  const { kubectl, releaseNamespace, cluster, directory } = world.environment;
  const helm = await helmOf(cluster.kubeconfig, directory);
  const said = await helm(['test', RELEASE_NAME, '--namespace', releaseNamespace, '--timeout', '100s']);
  expect(said).toMatch(/Phase:\s+Succeeded/);
  const left = await kubectl(['get', 'clusterroles,clusterrolebindings', '-o', 'name']);
  expect(left).not.toMatch(/doctor/);
}, 120_000);
