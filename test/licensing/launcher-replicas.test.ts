import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseCertificate } from '../../formats/x509/certificate.ts';
import { PODS } from '../../platform/kube/resources.ts';
import type { RpcRefusal } from '../../platform/rpc/rpc-error.ts';
import type { LaunchResult } from '../../proto/gen/enclave_licensing/launcher/v1/launcher.ts';
import { Phase } from '../../proto/gen/enclave_licensing/licensing/v1/licensing.ts';
import { type LauncherFixture, launchWish, startLauncherFixture } from '../support/launcher-fixture.ts';
import { until } from '../support/until.ts';

/** Launchers that share nothing but the cluster: what one began, another ends, and both at once do no harm. */
let fixture: LauncherFixture;
/** The first is replica 0. */
let second: number;
beforeAll(async () => {
  fixture = await startLauncherFixture();
  await fixture.profile('small');
  second = (await fixture.replica()).index;
});
afterAll(() => fixture?.close());

type Wish = ReturnType<typeof launchWish>;

/** The launch's result, or the code of its failure. */
async function launched(
  replica: number,
  wish: Wish,
  onPhase?: (phase: Phase) => void,
): Promise<LaunchResult | string> {
  try {
    for await (const { event } of fixture.client('front', replica).launch(wish)) {
      if (event?.$case === 'result') return event.value;
      if (event?.$case === 'progress') onPhase?.(event.value.phase);
    }
    return 'no result';
  } catch (error) {
    const { code, status } = error as RpcRefusal;
    return code ?? status;
  }
}

const podsOf = async ({ enclave }: Wish) => {
  const { items } = await fixture.admin.list(PODS, { namespace: fixture.namespace });
  return items.filter(({ metadata }) => metadata?.name === enclave);
};

function isGood(result: LaunchResult | string): boolean {
  if (typeof result === 'string') throw new Error(result);
  return (
    parseCertificate(result.userCertificateChain[0] ?? new Uint8Array(0)).ok && result.bundle !== undefined
  );
}

test('the same launch on both at once is one pod, and each has the answer', async () => {
  const wish = launchWish();
  const both = [0, second, 0, second].map((replica) => launched(replica, wish));
  await (await fixture.enclave(wish.enclave)).all();
  const results = await Promise.all(both);
  // Of two on one replica the later one goes on; on two replicas both do.
  expect(results.filter((each) => each === 'superseded')).toHaveLength(2);
  expect(results.filter((each) => each !== 'superseded').map(isGood)).toEqual([true, true]);
  expect(await podsOf(wish)).toHaveLength(1);
});

test('a launch whose launcher is killed goes on at the other, with the same pod', async () => {
  for (const until of [Phase.PHASE_CREATED, Phase.PHASE_STARTED, Phase.PHASE_ATTESTED]) {
    const third = await fixture.replica();
    const wish = launchWish();
    const reached = Promise.withResolvers<void>();
    const cut = launched(third.index, wish, (phase) => {
      if (phase >= until) reached.resolve();
    });
    const enclave = await fixture.enclave(wish.enclave);
    const steps = [enclave.started, enclave.certified, enclave.attested, enclave.ready];
    let at = 0;
    // As far as it may come before the launcher is gone.
    const before = { [Phase.PHASE_CREATED]: 0, [Phase.PHASE_STARTED]: 1, [Phase.PHASE_ATTESTED]: 3 }[until];
    for (; at < before; at += 1) await steps[at]?.call(enclave);
    await reached.promise;
    await third.kill();
    expect(['server-stopping', 'UNAVAILABLE']).toContain(await cut);
    const going = launched(second, wish);
    for (; at < steps.length; at += 1) await steps[at]?.call(enclave);
    expect(isGood(await going)).toBe(true);
    expect((await podsOf(wish)).map(({ metadata }) => metadata?.uid)).toEqual([enclave.pod.metadata?.uid]);
  }
});

test('a stop at the one ends a launch at the other, and two stops leave nothing', async () => {
  const wish = launchWish();
  const launching = launched(0, wish);
  const enclave = await fixture.enclave(wish.enclave);
  await enclave.started();
  await enclave.certified();
  const stops = [0, second].map((replica) =>
    fixture.client('front', replica).stop({ enclave: wish.enclave }),
  );
  await Promise.all(stops);
  expect(['pod-gone', 'superseded']).toContain(await launching);
  await until('nothing is left', async () => {
    const { requests } = await fixture.left();
    const uid = enclave.pod.metadata?.uid ?? '';
    return (await podsOf(wish)).length === 0 && requests.every((name) => !name.includes(uid));
  });
});

test('a pod that is not what was wanted is removed by both, and handed out by neither', async () => {
  const wish = launchWish();
  const stranger = launchWish({ enclave: wish.enclave });
  const first = launched(0, wish);
  await fixture.enclave(wish.enclave);
  const others = await Promise.all([launched(second, stranger), launched(second, stranger)]);
  for (const each of others) expect(['pod-differs', 'superseded']).toContain(each);
  expect(others).toContain('pod-differs');
  expect(['pod-gone', 'pod-differs']).toContain(await first);
});
