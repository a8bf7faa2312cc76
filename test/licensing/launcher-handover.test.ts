import { afterAll, beforeAll, expect, test } from 'vitest';
import { PODS, type Pod } from '../../platform/kube/resources.ts';
import type { RpcRefusal } from '../../platform/rpc/rpc-error.ts';
import {
  FORMER_SIDECAR_IMAGE,
  type LauncherFixture,
  launchWish,
  startLauncherFixture,
} from '../support/launcher-fixture.ts';

/** No pod without its sidecar is handed out, although the API server let it through. */
let fixture: LauncherFixture;
beforeAll(async () => {
  fixture = await startLauncherFixture();
  await fixture.profile('small');
});
afterAll(() => fixture.close());

/** The launch's outcome: `ready`, or the code of its failure. */
async function outcome(wish: ReturnType<typeof launchWish>): Promise<string> {
  try {
    for await (const { event } of fixture.client().launch(wish))
      if (event?.$case === 'result') return 'ready';
    return 'no result';
  } catch (error) {
    return (error as RpcRefusal).code;
  }
}

test('a pod that is changed before it is ready', async () => {
  const { admin, namespace } = fixture;
  const wish = launchWish();
  const launching = outcome(wish);
  const enclave = await fixture.enclave(wish.enclave);
  await enclave.attested();
  const value = `other@sha256:${'e'.repeat(64)}`;
  const patch = [{ op: 'replace', path: '/spec/containers/0/image', value }];
  await admin.patch(PODS, { namespace, name: wish.enclave }, patch, 'json');
  await enclave.ready();
  expect(await launching).toBe('pod-differs');
});

test('a pod without its sidecar, or with another, in the place of an enclave that was launched', async () => {
  const { admin, namespace } = fixture;
  const wish = launchWish();
  const launching = outcome(wish);
  await (await fixture.enclave(wish.enclave)).all();
  expect(await launching).toBe('ready');
  const name = wish.enclave;
  const evidence = () =>
    fixture
      .client()
      .evidence({ enclave: name, nonce: Buffer.alloc(16, 1) })
      .then(
        () => 'handed out',
        (error: RpcRefusal) => error.code,
      );
  expect(await evidence()).toBe('handed out');
  const { spec, metadata = {} } = (await admin.get(PODS, { namespace, name })) ?? {};
  const { annotations = {}, labels = {} } = metadata;
  /** As it stands with this change: labelled only after its creation, so that no webhook has seen an enclave. */
  const replaced = async (change: (spec: NonNullable<Pod['spec']>) => void): Promise<void> => {
    await admin.delete(PODS, { namespace, name }, { gracePeriodSeconds: 0 });
    const changed = structuredClone(spec ?? { containers: [] });
    change(changed);
    await admin.create(PODS, { metadata: { name, namespace, annotations }, spec: changed });
    await admin.patch(PODS, { namespace, name }, { metadata: { labels } });
  };
  const withImage = (image: string) =>
    replaced(({ initContainers }) => {
      for (const each of initContainers ?? []) each.image = image;
    });
  await replaced((bare) => {
    bare.initContainers = [];
  });
  expect(await evidence()).toBe('sidecar-missing');
  await withImage(`evil@sha256:${'6'.repeat(64)}`);
  expect(await evidence()).toBe('sidecar-differs');
  // One of the release before goes on being asked; this one has no address yet.
  await withImage(FORMER_SIDECAR_IMAGE);
  expect(await evidence()).toBe('evidence-refused');
});
