import { describe, expect, test } from 'vitest';
import { ENCLAVE_LABEL, INJECT_LABEL, MANAGED_LABEL } from '../../names/labels.ts';
import type { NetworkPolicy } from '../../platform/kube/resources.ts';
import { decidePolicies, type PolicySituation } from '../../webhook/keeper/decide-policies.ts';
import { findPolicies } from '../../webhook/keeper/find-policies.ts';
import { policyRecord } from '../../webhook/keeper/policy-record.ts';
import { POLICY_NAMES, wantedPolicy } from '../../webhook/keeper/wanted-policies.ts';
import { injected, read, stored } from '../support/keeper-pods.ts';

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
