import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { nextStep } from '../../licensing/front/launches/launch-step.ts';
import { findDiscrepancies } from '../../licensing/front/launches/reconcile.ts';
import { enclaveId } from '../../licensing/front/service/enclave-id.ts';
import { decodePageToken, encodePageToken } from '../../licensing/front/service/page-token.ts';
import { judgeCreateFailure } from '../../licensing/launcher/launch/create-failure.ts';
import { podStanding } from '../../licensing/launcher/launch/pod-standing.ts';
import { belongsTo } from '../../licensing/launcher/pods/remove-enclave.ts';
import type { EnclaveRecord, EnclaveState } from '../../licensing/store/enclave-record.ts';
import { KubeError } from '../../platform/kube/kube-error.ts';
import type { CertificateSigningRequest, Pod } from '../../platform/kube/resources.ts';

const LIMITS = { launchTimeoutMs: 300, unattendedTimeoutMs: 900 };
function record(change: Partial<EnclaveRecord> = {}): EnclaveRecord {
  const none = new Uint8Array(0);
  return {
    id: 'e1',
    user: 'ada',
    launchId: none,
    profile: 'small',
    ownerKeySha256: '',
    nonce: none,
    certificateRequest: none,
    state: 'launching',
    phase: 3,
    message: '',
    driver: '',
    reason: '',
    reasonCode: '',
    namespace: '',
    endpoint: '',
    serverName: '',
    profileSpec: '',
    attendedAt: 1000,
    delivered: false,
    createdAt: 1000,
    updatedAt: 1000,
    ...change,
  };
}

describe('the next step of a launch', () => {
  const step = (change: Partial<EnclaveRecord>, now: number, attached = false) =>
    nextStep(record(change), { attached, since: 1000 }, LIMITS, now);

  test('follows from state, time and attention alone', () => {
    expect(step({}, 1100)).toEqual({ do: 'launch', until: 1300 });
    expect(step({}, 1300, true)).toMatchObject({
      do: 'fail',
      code: 'launch-timeout',
      reason: expect.stringMatching(/started/),
    });
    expect(step({ state: 'ready' }, 1899)).toEqual({ do: 'rest' });
    expect(step({ state: 'ready' }, 1900)).toMatchObject({ do: 'fail', code: 'launch-unattended' });
    expect(step({ state: 'ready' }, 9999, true)).toEqual({ do: 'rest' });
    expect(step({ state: 'ready', delivered: true }, 9999)).toEqual({ do: 'rest' });
    expect(step({ state: 'stopping' }, 1)).toEqual({ do: 'remove', outcome: 'stopped' });
    expect(step({ state: 'failing' }, 1)).toEqual({ do: 'remove', outcome: 'failed' });
    for (const state of ['stopped', 'failed'] as const) expect(step({ state }, 9999)).toEqual({ do: 'rest' });
  });
});

describe('seats and pods', () => {
  const pod = (enclave: string, podPhase = 'Running') => ({
    enclave,
    namespace: 'apps',
    pod: enclave,
    ready: true,
    podPhase,
    reason: '',
  });
  const row = (id: string, state: EnclaveState) => record({ id, state });

  test('a pod whose seat was written before the list is no orphan; one that came ready meanwhile is not lost', () => {
    const after = [row('launching', 'launching'), row('stopping', 'stopping'), row('young', 'ready')];
    expect(
      findDiscrepancies(
        [],
        ['launching', 'stopping', 'stray'].map((id) => pod(id)),
        after,
      ),
    ).toEqual({
      orphans: ['stray'],
      lost: [],
    });
  });

  test('a ready enclave without a pod, or with one that ended, is lost', () => {
    const rows = [row('gone', 'ready'), row('ended', 'ready'), row('well', 'ready')];
    const { lost, orphans } = findDiscrepancies(rows, [pod('ended', 'Failed'), pod('well')], rows);
    expect(lost.map((each) => each.id)).toEqual(['gone', 'ended']);
    expect(orphans).toEqual([]);
    expect(findDiscrepancies(rows, [], [row('gone', 'stopping')]).lost).toEqual([]);
  });
});

test('an enclave id is a DNS label without a dot, the same for the same launch and no other', () => {
  const users = fc.stringMatching(/^[a-z][a-z0-9._-]{0,62}$/);
  const launchIds = fc.uint8Array({ minLength: 16, maxLength: 16 });
  fc.assert(
    fc.property(users, launchIds, users, launchIds, (user, id, otherUser, otherId) => {
      expect(enclaveId(user, id)).toMatch(/^e[a-z2-7]{15}$/);
      expect(enclaveId(user, id)).toBe(enclaveId(user, new Uint8Array(id)));
      const same = user === otherUser && Buffer.from(id).equals(otherId);
      expect(enclaveId(user, id) === enclaveId(otherUser, otherId)).toBe(same);
    }),
  );
});

test('page tokens: ours come back, others are none', () => {
  const at = { createdAt: 1_795_305_600_123, id: 'eabcdefghijklmno' };
  expect(decodePageToken(encodePageToken(at))).toEqual(at);
  fc.assert(
    fc.property(fc.string(), (text) => {
      const read = decodePageToken(text);
      expect(read === undefined || encodePageToken(read) === text).toBe(true);
    }),
  );
});

test('what the API server says of a creation', () => {
  const webhook = 'Internal error occurred: failed calling webhook "x": connect: connection refused';
  for (const [error, meaning] of [
    [new KubeError(409, 'AlreadyExists', ''), 'exists'],
    [new KubeError(500, 'InternalError', webhook), 'uncalled'],
    [new KubeError(403, 'Forbidden', 'admission webhook denied the request'), 'refused'],
    [new KubeError(422, 'Invalid', ''), 'refused'],
    [new KubeError(404, 'NotFound', 'namespaces "x" not found'), 'refused'],
    [new KubeError(401, 'Unauthorized', ''), 'again'],
    [new KubeError(429, 'TooManyRequests', ''), 'again'],
    [new KubeError(500, 'InternalError', 'etcd leader changed'), 'again'],
    [new KubeError(503, 'ServiceUnavailable', ''), 'again'],
    [Object.assign(new Error(), { code: 'ECONNREFUSED' }), 'again'],
  ] as const)
    expect(judgeCreateFailure(error)).toBe(meaning);
});

describe('where a pod stands', () => {
  const AGENT = 'system:serviceaccount:licensing:enclave-agent';
  const standing = (...[of, requests]: [Pod, CertificateSigningRequest[]]) =>
    podStanding(of, requests, 'licensing');
  const ENCLAVES = 'tcsclusterissuer.tcs.intel.com/enclaves';
  const byAgentOf = (...nodes: string[]) => ({ 'authentication.kubernetes.io/node-name': nodes });
  const request = (name: string, status: object = {}, change: object = {}): CertificateSigningRequest => ({
    metadata: { name, creationTimestamp: '2026-11-22T00:00:00Z' },
    spec: { signerName: ENCLAVES, username: AGENT, extra: byAgentOf('node1'), request: '', ...change },
    status,
  });
  const pod = (status: object): Pod => ({
    metadata: { name: 'e1', namespace: 'apps', uid: 'u1' },
    spec: { nodeName: 'node1', containers: [] },
    status,
  });
  const running = { name: 'enclave-sidecar', image: '', imageID: '', ready: false, restartCount: 0 };

  test('another pod’s certificate counts for nothing, another signer’s or another requester’s', () => {
    const certificate = 'LS0t';
    for (const [other, phase] of [
      [request('enclave-u1-1', { certificate }), 4],
      [request('enclave-u10-1', { certificate }), 2],
      [request('enclave-u1-1', { certificate }, { signerName: 'tcsclusterissuer.tcs.intel.com/users' }), 2],
      [request('enclave-u1-1', { certificate }, { username: 'mallory' }), 2],
      [request('enclave-u1-1', { certificate }, { username: 'system:serviceaccount:shop:enclave-agent' }), 2],
      [request('enclave-u1-1', { certificate }, { username: undefined }), 2],
      [request('enclave-u1-1', { certificate }, { extra: byAgentOf('node2') }), 2],
      [request('enclave-u1-1', { certificate }, { extra: byAgentOf('node1', 'node2') }), 2],
      [request('enclave-u1-1', { certificate }, { extra: undefined }), 2],
      [request('enclave-u1-1'), 2],
    ] as const)
      expect(standing(pod({}), [other]).phase).toBe(phase);
  });

  test('only the newest denial counts, and none once there is a certificate', () => {
    const denied = {
      conditions: [{ type: 'Denied', status: 'True', reason: 'Stale', message: 'old epoch' }],
    };
    const first = request('enclave-u1-1', denied);
    expect(standing(pod({}), [first]).failure).toMatchObject({ code: 'certificate-denied' });
    const second = {
      ...request('enclave-u1-2'),
      metadata: { name: 'enclave-u1-2', creationTimestamp: '2026-11-22T00:00:05Z' },
    };
    expect(standing(pod({}), [second, first]).failure).toBeUndefined();
    expect(
      standing(pod({}), [first, request('enclave-u1-2', { certificate: 'LS0t' })]).failure,
    ).toBeUndefined();
  });

  test('one crash is an accident, and ready needs an address', () => {
    const crashed = { ...running, restartCount: 1, state: { waiting: { reason: 'CrashLoopBackOff' } } };
    expect(standing(pod({ initContainerStatuses: [crashed] }), []).failure).toBeUndefined();
    const conditions = [{ type: 'Ready', status: 'True' }];
    expect(standing(pod({ conditions }), []).ready).toBe(false);
    expect(standing(pod({ conditions, podIP: '10.0.0.1' }), []).ready).toBe(true);
    const unscheduled = [
      { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: '0/2 nodes' },
    ];
    expect(standing(pod({ conditions: unscheduled }), []).detail).toMatch(/0\/2 nodes/);
  });

  test('what is deleted with an enclave', () => {
    const users = { signerName: 'tcsclusterissuer.tcs.intel.com/users' };
    const annotated = (enclave: string) => ({
      ...request('user-x', {}, users),
      metadata: { name: 'user-x', annotations: { 'enclave-licensing.dev/enclave': enclave } },
    });
    const uids = new Set(['u1']);
    expect(belongsTo(request('enclave-u1-3'), 'e1', uids)).toBe(true);
    expect(belongsTo(request('enclave-u12-3'), 'e1', uids)).toBe(false);
    expect(belongsTo(annotated('e1'), 'e1', uids)).toBe(true);
    expect(belongsTo(annotated('e2'), 'e1', uids)).toBe(false);
    expect(belongsTo(request('enclave-u1-3', {}, { signerName: 'example.com/x' }), 'e1', uids)).toBe(false);
  });
});
