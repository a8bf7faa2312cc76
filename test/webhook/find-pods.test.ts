import { describe, expect, test } from 'vitest';
import { rootsToJson } from '../../formats/evidence/roots.ts';
import { ENCLAVE_LABEL, INJECT_LABEL } from '../../names/labels.ts';
import type { NetworkPolicy, Pod } from '../../platform/kube/resources.ts';
import { liveValue } from '../../platform/run/live.ts';
import { findPods } from '../../webhook/keeper/find-pods.ts';
import { findPolicies } from '../../webhook/keeper/find-policies.ts';
import { knownRoots } from '../../webhook/keeper/known-roots.ts';
import { policyRecord } from '../../webhook/keeper/policy-record.ts';
import { APP_IMAGE, CONFIG, enclavePod } from '../injection/support.ts';
import { FORMER_IMAGE, injected, read, stored } from '../support/keeper-pods.ts';
import { createTestAuthority } from '../support/test-authority.ts';

const find = (pod: Pod, more: Partial<Parameters<typeof findPods>[0]> = {}) =>
  findPods({
    pods: [read(pod)],
    labelled: new Set(['shop']),
    reachable: new Map(),
    acceptsRoots: (text) => text === CONFIG.roots,
    ...more,
  }).map(({ reason, message }) => ({ reason, message }));

describe('pods', () => {
  test('what this release or its predecessor injects is no finding; little of it is kept', () => {
    const pod = stored(injected());
    expect(find(pod)).toEqual([]);
    expect(find(stored(injected(enclavePod(), { ...CONFIG, sidecarImage: FORMER_IMAGE })))).toEqual([]);
    expect(read(pod)).toEqual({
      metadata: {
        name: 'web-1',
        namespace: 'shop',
        uid: 'u-1',
        resourceVersion: '7',
        labels: { [INJECT_LABEL]: 'enabled' },
      },
      isOverLabelled: false,
      launched: false,
      ended: false,
      ip: '10.0.0.7',
      upstreamPort: 8080,
      roots: CONFIG.roots,
      breach: undefined,
    });
    expect(read(stored({ ...pod, metadata: { ...pod.metadata, annotations: {} } })).breach).toBeDefined();
  });

  test('a megabyte of labels is not kept, and whoever selects such a pod is taken to select it', () => {
    const many = Object.fromEntries(
      Array.from({ length: 10_000 }, (_, at) => [`label-${at}`, 'x'.repeat(60)]),
    );
    const kept = read(stored(injected(enclavePod({}, {}, many))));
    expect(kept).toMatchObject({ metadata: { labels: { [INJECT_LABEL]: 'enabled' } }, isOverLabelled: true });
    expect(JSON.stringify(kept).length).toBeLessThan(1_000);
    const policy = (labels: Record<string, string>): NetworkPolicy => ({
      metadata: { name: 'theirs', namespace: 'shop', uid: 'p', labels },
      spec: { podSelector: { matchLabels: { 'label-7': 'x' } }, ingress: [{}] },
    });
    expect(JSON.stringify(policyRecord(policy(many))).length).toBeLessThan(1_000);
    const seen = {
      policies: [policyRecord(policy({}))],
      known: new Set<string>(),
      labelled: new Set(['shop']),
    };
    expect([...findPolicies({ ...seen, pods: [kept] })].flat()).toMatchObject([
      { reason: 'policy-opens-port' },
    ]);
  });

  test('a pod without its sidecar, with another, or against the rules', () => {
    expect(find(stored(enclavePod()))).toEqual([
      {
        reason: 'sidecar-missing',
        message: expect.stringMatching(/no init container enclave-sidecar.*Delete it/),
      },
    ]);
    // Whatever else is wrong with it.
    const worse = enclavePod({}, { hostNetwork: true, containers: [{ name: 'app', image: 'app:1' }] });
    expect(find(stored(worse))).toMatchObject([{ reason: 'sidecar-missing' }]);
    const launched = {
      ...enclavePod(),
      metadata: { name: 'e', namespace: 'shop', labels: { [ENCLAVE_LABEL]: 'eabc' } },
    };
    expect(find(stored(launched))).toMatchObject([{ reason: 'sidecar-missing' }]);
    const other = injected(enclavePod(), { ...CONFIG, sidecarImage: `evil@sha256:${'66'.repeat(32)}` });
    expect(find(stored(other))).toMatchObject([{ reason: 'sidecar-differs' }]);
    const pod = injected();
    const unpinned = { ...pod, spec: { ...pod.spec, containers: [{ name: 'app', image: 'app:2' }] } };
    expect(find(stored(unpinned))).toMatchObject([
      { reason: 'rule-broken', message: expect.stringContaining('app:2') },
    ]);
    const both = { ...pod.metadata, labels: { [INJECT_LABEL]: 'enabled', [ENCLAVE_LABEL]: 'eabc' } };
    expect(find(stored({ ...pod, metadata: both }))).toMatchObject([{ reason: 'rule-broken' }]);
  });

  test('one that is like no pod is a finding, and ends nothing', () => {
    for (const spec of [
      { containers: 5 },
      { initContainers: [null] },
      { initContainers: [{ env: 5 }] },
      7,
      null,
    ])
      expect(find({ ...stored(enclavePod()), spec } as object as Pod), JSON.stringify(spec)).toHaveLength(1);
  });

  test('one that has ended runs nothing; one that is being deleted still does', () => {
    for (const phase of ['Succeeded', 'Failed'])
      expect(find(stored(enclavePod(), { status: { phase } }))).toEqual([]);
    for (const phase of ['Pending', 'Running', 'Unknown'])
      expect(find(stored(enclavePod(), { status: { phase } }))).toHaveLength(1);
    const going = stored(enclavePod());
    expect(
      find({ ...going, metadata: { ...going.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } }),
    ).toHaveLength(1);
  });

  test('where nothing is injected: with a sidecar a finding of its own, without one it is said with it', () => {
    const labelled = new Set<string>();
    expect(find(stored(injected()), { labelled })).toMatchObject([
      { reason: 'namespace-unlabelled', message: expect.stringContaining('injection=enabled') },
    ]);
    expect(find(stored(enclavePod()), { labelled })).toMatchObject([
      {
        reason: 'sidecar-missing',
        message: expect.stringContaining('Nothing is injected in namespace shop'),
      },
    ]);
  });

  test('an app that answers past its sidecar', () => {
    const reachable = new Map([['u-1', 8080]]);
    expect(find(stored(injected()), { reachable })).toMatchObject([
      { reason: 'upstream-reachable', message: expect.stringContaining('10.0.0.7:8080') },
    ]);
    const socket = injected(
      enclavePod(
        { 'enclave-licensing.dev/upstream': 'unix:/run/enclave/app.sock' },
        {
          containers: [
            { name: 'app', image: APP_IMAGE, volumeMounts: [{ name: 's', mountPath: '/run/enclave' }] },
          ],
          volumes: [{ name: 's', emptyDir: {} }],
        },
      ),
    );
    expect(read(stored(socket))).toMatchObject({ upstreamPort: undefined, breach: undefined });
  });

  test('roots are ours when each of them is injected now', () => {
    const [a, b, foreign] = ['a', 'b', 'f'].map((name) => createTestAuthority(name).root);
    const set = (...roots: (Uint8Array | undefined)[]) => {
      const list = roots.filter((root) => root !== undefined);
      return rootsToJson({ system: list, enclaves: list, users: list, 'attestation-keys': list });
    };
    const current = liveValue(set(a));
    const known = knownRoots(current);
    expect([set(a), set(foreign), set(a, foreign), set(a, b), '', '{}'].map(known)).toEqual([
      ...[true, false, false, false, false, false],
    ]);
    current.set(set(a, b));
    expect([set(a), set(b), set(a, b), set(b, foreign)].map(known)).toEqual([true, true, true, false]);
    current.set(set(b));
    expect([set(a), set(a, b), set(b)].map(known)).toEqual([false, false, true]);
    expect(find(stored(injected()), { acceptsRoots: known })).toMatchObject([{ reason: 'roots-unknown' }]);
  });
});
