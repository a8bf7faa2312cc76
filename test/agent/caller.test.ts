import { describe, expect, test } from 'vitest';
import { judgeCaller, plainAddress, podOfToken, type TokenPod } from '../../agent/caller/judge-caller.ts';
import { judgePod } from '../../agent/caller/judge-pod.ts';
import type { AgentCode } from '../../agent/code.ts';
import { reasonToEnd } from '../../agent/pods/node-pods.ts';
import type { Namespace, Pod } from '../../platform/kube/resources.ts';
import type { TokenIdentity } from '../../platform/kube/token-review.ts';
import { rules, storedPod } from './pods.ts';

const pod = storedPod();
const token: TokenPod = {
  namespace: 'enclaves',
  name: 'e1',
  uid: pod.metadata?.uid ?? '',
  serviceAccount: 'default',
};
const labelled: Namespace = {
  metadata: { name: 'enclaves', labels: { 'enclave-licensing.dev/injection': 'enabled' } },
};
const address = '127.70.0.7';

describe('who calls', () => {
  const edited = (edit: (pod: Pod) => void): Pod => storedPod(edit);
  const with_ = (change: object): Pod => edited((p) => Object.assign(p.metadata ?? {}, change));

  test('the pod itself is a caller, and what is said of it is the API server’s view', () => {
    const judged = judgeCaller(token, address, pod, labelled, rules);
    if (!judged.ok) throw new Error(judged.message);
    const { claims } = judged.value;
    expect(claims.sub).toBe('spiffe://example.org/ns/enclaves/sa/default');
    expect(claims.pod).toMatchObject({ name: 'e1', uid: token.uid, node: 'node-1', enclave: 'e1' });
    expect(claims.pod.images.map(({ container }) => container)).toEqual(['enclave-sidecar', 'app']);
    expect(claims.access).toMatchObject({ mode: 'tcp', auth: 'mtls', ownerKeySha256: 'ab'.repeat(32) });
    expect(judged.value.terminating).toBe(false);
    const going = with_({ deletionTimestamp: '2026-01-01T00:00:00Z' });
    expect(judgeCaller(token, address, going, labelled, rules)).toMatchObject({
      value: { claims, terminating: true },
    });
    expect(judgeCaller(token, '127.70.0.8', going, labelled, rules)).toMatchObject({
      code: 'caller-address',
    });
  });

  test.each<
    [string, AgentCode, Pod | undefined, Partial<{ address: string; namespace: Namespace; token: TokenPod }>]
  >([
    ['no such pod', 'caller-pod-missing', undefined, {}],
    ['a pod of the same name, but another', 'caller-pod-missing', with_({ uid: 'other' }), {}],
    ['another address', 'caller-address', pod, { address: '127.70.0.8' }],
    ['a pod without an address', 'caller-address', edited((p) => void delete p.status), {}],
    ['another node', 'caller-node', edited((p) => Object.assign(p.spec ?? {}, { nodeName: 'node-2' })), {}],
    ['another service account', 'caller-service-account', pod, { token: { ...token, serviceAccount: 'x' } }],
    ['an unlabelled namespace', 'caller-namespace', pod, { namespace: { metadata: { name: 'enclaves' } } }],
    ['a namespace that is gone', 'caller-namespace', pod, { namespace: {} }],
    ['the release namespace', 'caller-namespace', with_({ namespace: 'enclave-licensing' }), {}],
    ['kube-system', 'caller-namespace', with_({ namespace: 'kube-system' }), {}],
    ['a mirror pod', 'caller-mirror-pod', with_({ annotations: { 'kubernetes.io/config.mirror': 'x' } }), {}],
    [
      'a pod that a node controls',
      'caller-mirror-pod',
      with_({ ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: 'node-1', uid: 'n' }] }),
      {},
    ],
    [
      'a pod that ended',
      'caller-pod-ended',
      edited((p) => Object.assign(p.status ?? {}, { phase: 'Failed' })),
      {},
    ],
    ['no label', 'caller-sidecar', with_({ labels: {} }), {}],
    ['no sidecar', 'caller-sidecar', edited((p) => Object.assign(p.spec ?? {}, { initContainers: [] })), {}],
    [
      'a sidecar with another command',
      'caller-sidecar',
      edited((p) => Object.assign(p.spec?.initContainers?.[0] ?? {}, { command: ['sh'] })),
      {},
    ],
    [
      'the host’s network',
      'caller-sidecar',
      edited((p) => Object.assign(p.spec ?? {}, { hostNetwork: true })),
      {},
    ],
  ])('%s is refused: %s', (_, code, stored, changed) => {
    const caller = changed.token ?? token;
    const judged = judgeCaller(
      caller,
      changed.address ?? address,
      stored,
      changed.namespace ?? labelled,
      rules,
    );
    expect(judged).toMatchObject({ ok: false, code });
  });

  test('a sidecar that differs by one environment value, whichever it is', () => {
    const names = (pod.spec?.initContainers?.[0]?.env ?? []).map(({ name }) => name);
    expect(names.length).toBeGreaterThan(10);
    for (const name of names) {
      const changed = edited((p) => {
        for (const variable of p.spec?.initContainers?.[0]?.env ?? []) {
          if (variable.name !== name) continue;
          if (variable.valueFrom?.fieldRef) variable.valueFrom.fieldRef.fieldPath = 'metadata.name';
          else variable.value = `${variable.value}0`;
        }
      });
      expect(judgePod(changed, rules), name).toMatchObject({ ok: false, code: 'caller-sidecar' });
    }
  });

  test('a pod of the release before is a caller still', () => {
    const PROBED = { failureThreshold: 3, periodSeconds: 1, successThreshold: 1, timeoutSeconds: 1 };
    const former = (pod: Pod): void => {
      const [sidecar] = pod.spec?.initContainers ?? [];
      if (sidecar === undefined) return;
      sidecar.readinessProbe = { ...PROBED, httpGet: { path: '/readyz', port: 9464, scheme: 'HTTP' } };
      sidecar.startupProbe = { ...PROBED, failureThreshold: 600, tcpSocket: { port: 8443 } };
    };
    const older = storedPod(former);
    expect(judgePod(older, rules)).toMatchObject({ ok: true });
    const oldest = storedPod((pod) => {
      former(pod);
      const [sidecar] = pod.spec?.initContainers ?? [];
      if (sidecar) sidecar.terminationMessagePolicy = 'File';
    });
    expect(judgePod(oldest, rules)).toMatchObject({ ok: false, code: 'caller-sidecar' });
  });

  test('an image or roots that the operator has not named', () => {
    expect(judgePod(pod, { ...rules, sidecarImages: [] })).toMatchObject({
      ok: false,
      code: 'caller-sidecar',
    });
    expect(judgePod(pod, { ...rules, acceptsRoots: () => undefined })).toMatchObject({
      ok: false,
      code: 'agent-not-ready',
      retryAfterMs: 500,
    });
    expect(judgePod(pod, { ...rules, acceptsRoots: () => false })).toMatchObject({
      ok: false,
      code: 'caller-sidecar',
    });
  });

  test('an address is compared as the API server writes it', () => {
    expect(plainAddress('::ffff:127.70.0.7')).toBe('127.70.0.7');
    expect(plainAddress('FD00::1')).toBe('fd00::1');
  });
});

describe('tokens', () => {
  const identity: TokenIdentity = {
    username: 'system:serviceaccount:enclaves:default',
    uid: 'u',
    groups: [],
    podName: 'e1',
    podUid: 'p',
    nodeName: 'node-1',
  };
  test('speak for a pod of this node or for nobody', () => {
    expect(podOfToken(identity, 'node-1')).toMatchObject({
      ok: true,
      value: { namespace: 'enclaves', uid: 'p' },
    });
    const { podUid: _uid, ...unbound } = identity;
    const { nodeName: _node, ...nowhere } = identity;
    for (const other of [unbound, { ...identity, username: 'admin' }])
      expect(podOfToken(other, 'node-1')).toMatchObject({ ok: false, code: 'caller-token' });
    for (const other of [nowhere, { ...identity, nodeName: 'node-2' }])
      expect(podOfToken(other, 'node-1')).toMatchObject({ ok: false, code: 'caller-node' });
  });
});

describe('a pod that changes', () => {
  test('ends when it ends or when what is said of it changes, and not before', () => {
    const judged = judgePod(pod, rules);
    if (!judged.ok) throw new Error(judged.message);
    const said = judged.value;
    const ready = storedPod((p) => Object.assign(p.status ?? {}, { phase: 'Running' }));
    expect(reasonToEnd(said, ready, rules)).toBeUndefined();
    const image = `registry.internal/app@sha256:${'3'.repeat(64)}`;
    const changed = storedPod((p) => Object.assign(p.spec?.containers[0] ?? {}, { image }));
    expect(reasonToEnd(said, changed, rules)).toMatchObject({ how: 'changed' });
    const ended = storedPod((p) => Object.assign(p.status ?? {}, { phase: 'Failed' }));
    expect(reasonToEnd(said, ended, rules)).toMatchObject({ how: 'ended' });
    const deletion = { deletionTimestamp: '2026-01-01T00:00:00Z' };
    const terminating = storedPod((p) => Object.assign(p.metadata ?? {}, deletion));
    expect(reasonToEnd(said, terminating, rules)).toMatchObject({
      how: 'terminating',
      reason: expect.stringContaining('being deleted'),
    });
    // It is so once, whatever else happens to the pod until it ends; and it may change all the same.
    const going = { ...said, terminating: true };
    expect(reasonToEnd(going, terminating, rules)).toBeUndefined();
    const both = storedPod((p) => {
      Object.assign(p.metadata ?? {}, deletion);
      Object.assign(p.spec?.containers[0] ?? {}, { image });
    });
    for (const each of [said, going])
      expect(reasonToEnd(each, both, rules)).toMatchObject({ how: 'changed' });
  });
});
