import { afterAll, beforeAll, expect, test } from 'vitest';
import { NODE_FLAGS } from '../../tools/images/images.ts';
import { startWorld, type World } from '../support/world.ts';

/** The heap of each component ends before its container's memory does, so that it collects rather than being killed. */
let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world?.stop());

const MEBI = 2 ** 20;
const HEAP = 'require("node:v8").getHeapStatistics().heap_size_limit';

interface Container {
  readonly name: string;
  /** In place of the image's own, flags of Node included. */
  readonly command?: readonly string[];
  readonly resources: { readonly limits: { readonly memory: string } };
}
interface PodList {
  readonly items: readonly {
    readonly metadata: { readonly name: string; readonly deletionTimestamp?: string };
    readonly spec: {
      readonly containers: readonly Container[];
      readonly initContainers?: readonly Container[];
    };
  }[];
}

test('the limit of each heap follows from the limit of its container', async () => {
  const { kubectl, releaseNamespace } = world.environment;
  const of = ['-n', releaseNamespace, '-l', 'app.kubernetes.io/instance'];
  const { items } = JSON.parse(await kubectl(['get', 'pods', ...of, '-o', 'json'])) as PodList;
  const shares = new Map<string, number>();
  for (const { metadata, spec } of items.filter(({ metadata }) => metadata.deletionTimestamp === undefined))
    for (const { name, resources, command } of [...(spec.initContainers ?? []), ...spec.containers]) {
      const program = ['/usr/bin/node', ...(command === undefined ? NODE_FLAGS : []), '-p', HEAP];
      const said = await kubectl([
        'exec',
        metadata.name,
        '-n',
        releaseNamespace,
        '-c',
        name,
        '--',
        ...program,
      ]);
      const limit = Number(/^(\d+)Mi$/.exec(resources.limits.memory)?.[1]) * MEBI;
      shares.set(name, Number(said) / limit);
    }
  expect([...shares.keys()]).toEqual(expect.arrayContaining(['enclave-agent', 'enclave-launcher']));
  for (const [name, share] of shares) {
    expect(share, name).toBeGreaterThan(0.55);
    expect(share, name).toBeLessThan(0.7);
  }
});
