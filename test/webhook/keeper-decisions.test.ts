import { describe, expect, test } from 'vitest';
import { rootsToJson } from '../../formats/evidence/roots.ts';
import type { InjectionConfig } from '../../injection/config.ts';
import type { Pod as InjectionPod } from '../../injection/pod.ts';
import { injectedPod } from '../../injection/spec-sha256.ts';
import { ENCLAVE_LABEL, INJECT_LABEL, MANAGED_LABEL } from '../../names/labels.ts';
import type { NetworkPolicy, Pod } from '../../platform/kube/resources.ts';
import { liveValue } from '../../platform/run/live.ts';
import { decidePolicies, type PolicySituation } from '../../webhook/keeper/decide-policies.ts';
import { enclavePodReader } from '../../webhook/keeper/enclave-pod.ts';
import { findPods } from '../../webhook/keeper/find-pods.ts';
import { findPolicies } from '../../webhook/keeper/find-policies.ts';
import { knownRoots } from '../../webhook/keeper/known-roots.ts';
import { policyRecord } from '../../webhook/keeper/policy-record.ts';
import { POLICY_NAMES, wantedPolicy } from '../../webhook/keeper/wanted-policies.ts';
import { APP_IMAGE, CONFIG, enclavePod, SIDECAR_IMAGE } from '../injection/support.ts';
import { createTestAuthority } from '../support/test-authority.ts';

const FORMER_IMAGE = `registry.example/enclave-sidecar@sha256:${'4b'.repeat(32)}`;
const read = enclavePodReader({
  sidecarImages: [SIDECAR_IMAGE, FORMER_IMAGE],
  enclaveDomain: CONFIG.enclaveDomain,
});

function injected(pod: InjectionPod = enclavePod(), config: InjectionConfig = CONFIG): InjectionPod {
  const result = injectedPod(pod, config);
  if (!result.ok) throw new Error(result.message);
  return result.value;
}

/** As a watch brings it: stored, running, with an address. */
function stored(pod: InjectionPod, changes: object = {}): Pod {
  const metadata = { ...pod.metadata, uid: 'u-1', resourceVersion: '7' };
  return { ...pod, metadata, status: { phase: 'Running', podIP: '10.0.0.7' }, ...changes } as object as Pod;
}

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
      launched: false,
      ended: false,
      ip: '10.0.0.7',
      upstreamPort: 8080,
      roots: CONFIG.roots,
      breach: undefined,
    });
    expect(read(stored({ ...pod, metadata: { ...pod.metadata, annotations: {} } })).breach).toBeDefined();
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

const [LAUNCHED = '', SELF_DEPLOYED = ''] = POLICY_NAMES;

function policy(name: string, changes: object = {}, spec: object = {}): NetworkPolicy {
  const wanted = wantedPolicy('shop', name) ?? { spec: { podSelector: {}, policyTypes: ['Ingress'] } };
  const metadata = { ...wanted.metadata, name, namespace: 'shop', uid: `uid-${name}`, ...changes };
  return { metadata, spec: { ...wanted.spec, ...spec } } as NetworkPolicy;
}

describe('policies', () => {
  const decide = (policies: readonly NetworkPolicy[], more: Partial<PolicySituation> = {}) => {
    const labelled = new Set(['shop']);
    const known = new Set<string>();
    return decidePolicies({
      labelled,
      open: labelled,
      occupied: new Set(),
      known,
      policies: policies.map(policyRecord),
      ...more,
    }).map(({ kind, name }) => `${kind} ${name}`);
  };
  const both = [policy(LAUNCHED), policy(SELF_DEPLOYED)];

  test('what closes enclaves, in the words of the API', () => {
    expect(wantedPolicy('shop', SELF_DEPLOYED)).toEqual({
      metadata: { name: SELF_DEPLOYED, namespace: 'shop', labels: { [MANAGED_LABEL]: 'enclave-webhook' } },
      spec: {
        podSelector: { matchExpressions: [{ key: INJECT_LABEL, operator: 'Exists' }] },
        policyTypes: ['Ingress'],
        ingress: [
          {
            ports: [
              { protocol: 'TCP', port: 8443 },
              { protocol: 'TCP', port: 9464 },
            ],
          },
        ],
      },
    });
    expect(wantedPolicy('shop', LAUNCHED)?.spec?.podSelector).toEqual({
      matchExpressions: [{ key: ENCLAVE_LABEL, operator: 'Exists' }],
    });
    expect(wantedPolicy('shop', 'constructor')).toBeUndefined();
  });

  test('missing ones are made, whole ones left, each kind of edit restored', () => {
    expect(decide([])).toEqual([`create ${LAUNCHED}`, `create ${SELF_DEPLOYED}`]);
    expect(decide(both)).toEqual([]);
    for (const spec of [
      { ingress: [{}] },
      { ingress: [] },
      { podSelector: { matchLabels: { app: 'x' } } },
      { policyTypes: ['Egress'] },
      { egress: [] },
    ])
      expect(decide([policy(LAUNCHED, {}, spec), policy(SELF_DEPLOYED)]), JSON.stringify(spec)).toEqual([
        `restore ${LAUNCHED}`,
      ]);
  });

  test('somebody else’s under our name is left alone; ours without its label is still ours', () => {
    const bare = policy(LAUNCHED, { labels: {} }, { ingress: [{}] });
    expect(decide([bare, policy(SELF_DEPLOYED)])).toEqual([]);
    expect(decide([bare, policy(SELF_DEPLOYED)], { known: new Set([`uid-${LAUNCHED}`]) })).toEqual([
      `restore ${LAUNCHED}`,
    ]);
    const marked = policy('theirs', { labels: { [MANAGED_LABEL]: 'enclave-webhook' } });
    expect(decide([...both, marked], { labelled: new Set(), open: new Set() })).toEqual([
      `remove ${LAUNCHED}`,
      `remove ${SELF_DEPLOYED}`,
    ]);
  });

  test('they go with the label, but not while an enclave runs; nothing is made in a namespace that goes', () => {
    const none = { labelled: new Set<string>(), open: new Set<string>() };
    expect(decide(both, none)).toEqual([`remove ${LAUNCHED}`, `remove ${SELF_DEPLOYED}`]);
    expect(decide(both, { ...none, occupied: new Set(['shop']) })).toEqual([]);
    expect(decide([policy(LAUNCHED, {}, { ingress: [{}] })], { open: new Set() })).toEqual([]);
  });

  const report = (policies: readonly NetworkPolicy[], pods = [read(stored(injected()))]) =>
    [
      ...findPolicies({
        policies: policies.map(policyRecord),
        known: new Set(),
        pods,
        labelled: new Set(['shop']),
      }),
    ].flat();

  test('a policy of somebody else that opens an enclave is reported, with what it opens', () => {
    const opening = (ports: object[] | undefined, more: object = {}) =>
      report([policy('theirs', {}, { ingress: [ports === undefined ? {} : { ports }], ...more })]).map(
        ({ message }) => message.split(' of ')[0],
      );
    expect(opening(undefined)).toEqual(['Opens every port']);
    expect(opening([{ port: 8080 }])).toEqual(['Opens TCP 8080']);
    expect(opening([{ protocol: 'TCP', port: 8000, endPort: 9000 }])).toEqual(['Opens TCP 8000-9000']);
    expect(opening([{ protocol: 'UDP', port: 8443 }])).toEqual(['Opens UDP 8443']);
    expect(opening([{ port: 8443, endPort: 9000 }])).toEqual(['Opens TCP 8443-9000']);
    expect(opening([{ port: 'web' }, { protocol: 'TCP' }])).toEqual(['Opens TCP web, every TCP port']);
    expect(
      opening([{ port: 8443 }, { port: 9464 }, { port: 'enclave' }, { port: 'enclave-health' }]),
    ).toEqual([]);
    expect(opening([{ port: 8080 }], { policyTypes: ['Egress'] })).toEqual([]);
    // Only when it takes an enclave that runs.
    expect(opening([{ port: 8080 }], { podSelector: { matchLabels: { app: 'x' } } })).toEqual([]);
    for (const expression of [
      { key: INJECT_LABEL, operator: 'In', values: ['enabled'] },
      { key: 'app', operator: 'DoesNotExist' },
      { key: 'app', operator: 'NotIn', values: ['x'] },
    ])
      expect(opening([{ port: 1 }], { podSelector: { matchExpressions: [expression] } })).toHaveLength(1);
    for (const expression of [
      { key: INJECT_LABEL, operator: 'NotIn', values: ['enabled'] },
      { key: 'app', operator: 'Exists' },
      { key: 'app', operator: 'In', values: ['x'] },
    ])
      expect(opening([{ port: 1 }], { podSelector: { matchExpressions: [expression] } })).toEqual([]);
    // One that is too large to be asked of each pod counts as taking them.
    const values = Array.from({ length: 100 }, (_, index) => `v${index}`);
    const large = { matchExpressions: [{ key: 'app', operator: 'In', values }] };
    expect(opening([{ port: 1 }], { podSelector: large })).toHaveLength(1);
    const ended = [read(stored(injected(), { status: { phase: 'Succeeded' } }))];
    expect(report([policy('theirs', {}, { ingress: [{}] })], ended)).toEqual([]);
  });

  test('a policy of somebody else under our name is reported; ours are not', () => {
    expect(report(both)).toEqual([]);
    expect(report([policy(LAUNCHED, { labels: { app: 'x' } })])).toMatchObject([
      {
        reason: 'policy-name-taken',
        about: { kind: 'NetworkPolicy', name: LAUNCHED, uid: `uid-${LAUNCHED}` },
      },
    ]);
  });
});
