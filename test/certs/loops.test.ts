import { describe, expect, test } from 'vitest';
import { approveOrDeny } from '../../certs/controller/approver.ts';
import { deletionTime, KEEP_FINISHED_MS, KEEP_UNDECIDED_MS } from '../../certs/controller/cleaner.ts';
import type { Judge } from '../../certs/controller/judge.ts';
import { stateOf } from '../../certs/controller/request-state.ts';
import { signApproved } from '../../certs/controller/signer.ts';
import { createWorkQueue } from '../../certs/controller/work-queue.ts';
import type { CertificateProfile } from '../../certs/issue/profile.ts';
import type { Kube } from '../../platform/kube/kube.ts';
import { KubeError } from '../../platform/kube/kube-error.ts';
import type { CertificateSigningRequest } from '../../platform/kube/resources.ts';

const AT = Date.parse('2026-11-22T00:00:00Z');
const object: CertificateSigningRequest = {
  metadata: { name: 'component-front-1', uid: 'uid', creationTimestamp: '2026-11-22T00:00:00Z' },
  spec: { request: '', signerName: 'tcsclusterissuer.tcs.intel.com/system' },
};
const withStatus = (status: CertificateSigningRequest['status']) => ({
  ...object,
  ...(status && { status }),
});
const approved = { type: 'Approved', status: 'True', lastUpdateTime: '2026-11-22T00:00:10Z' };

const yes: Judge = async () => ({ ok: true, value: {} as CertificateProfile });
const no: Judge = async () => ({
  ok: false,
  code: 'owner-key',
  message: 'not the owner',
  remedy: 'ask the owner',
});
const away: Judge = async () => {
  throw new Error('ECONNREFUSED');
};

/** An API server that keeps what was put, and refuses what it is told to refuse. */
function fake(refuse: (object: CertificateSigningRequest) => boolean = () => false) {
  const puts: [string | undefined, CertificateSigningRequest][] = [];
  const replace = async (_resource: unknown, put: CertificateSigningRequest, subresource?: string) => {
    if (refuse(put)) throw new KubeError(422, 'Invalid', 'status.certificate: Invalid value');
    puts.push([subresource, put]);
    return put;
  };
  const outcomes: string[] = [];
  const options = {
    kube: { replace } as unknown as Kube,
    now: () => AT,
    onDecision: (_object: unknown, outcome: string) => void outcomes.push(outcome),
    sign: () => ({ ok: true, value: { certificate: new Uint8Array([1]), notAfter: 1 } }) as const,
  };
  return { options, puts, outcomes };
}

describe('states', () => {
  test('each request is the business of one loop', () => {
    expect(stateOf(object)).toBe('new');
    expect(stateOf(withStatus({ conditions: [approved] }))).toBe('approved');
    expect(stateOf(withStatus({ conditions: [{ ...approved, status: 'False' }] }))).toBe('new');
    expect(stateOf(withStatus({ conditions: [approved], certificate: 'x' }))).toBe('finished');
    expect(stateOf(withStatus({ conditions: [{ type: 'Denied', status: 'True' }] }))).toBe('finished');
    expect(stateOf(withStatus({ conditions: [approved, { type: 'Failed', status: 'True' }] }))).toBe(
      'finished',
    );
  });

  test('a finished one is kept a minute after its last change, others an hour', () => {
    expect(deletionTime(object)).toBe(AT + KEEP_UNDECIDED_MS);
    const signed = withStatus({ conditions: [approved], certificate: 'x' });
    expect(deletionTime(signed)).toBe(AT + 10_000 + KEEP_FINISHED_MS);
  });
});

describe('approve and sign', () => {
  test('a refusal is a condition with its code, an outage is neither', async () => {
    const { options, puts, outcomes } = fake();
    await approveOrDeny({ ...options, judge: yes }, object);
    await approveOrDeny({ ...options, judge: no }, object);
    await expect(approveOrDeny({ ...options, judge: away }, object)).rejects.toThrow('ECONNREFUSED');
    expect(puts.map(([subresource, { status }]) => [subresource, status?.conditions?.[0]?.type])).toEqual([
      ['approval', 'Approved'],
      ['approval', 'Denied'],
    ]);
    expect(puts[1]?.[1].status?.conditions?.[0]).toMatchObject({
      reason: 'owner-key',
      message: 'not the owner; ask the owner',
    });
    expect(outcomes).toEqual(['approved', 'owner-key']);
  });

  test('what no longer holds when it is signed has failed', async () => {
    const { options, puts } = fake();
    await signApproved({ ...options, judge: no }, withStatus({ conditions: [approved] }));
    const [[subresource, put] = []] = puts;
    expect(subresource).toBe('status');
    expect(put?.status?.certificate).toBeUndefined();
    expect(put?.status?.conditions?.map(({ type, reason }) => [type, reason])).toEqual([
      ['Approved', undefined],
      ['Failed', 'owner-key'],
    ]);
    await expect(signApproved({ ...options, judge: away }, object)).rejects.toThrow('ECONNREFUSED');
    expect(puts).toHaveLength(1);
  });

  test('a certificate that the API server does not take has failed, and is not tried for ever', async () => {
    const { options, puts, outcomes } = fake((put) => put.status?.certificate !== undefined);
    await signApproved({ ...options, judge: yes }, withStatus({ conditions: [approved] }));
    expect(puts[0]?.[1].status?.conditions?.[1]).toMatchObject({
      type: 'Failed',
      reason: 'certificate-rejected',
    });
    expect(outcomes).toEqual(['certificate-rejected']);
  });
});

describe('the queue', () => {
  test('works on a key one at a time, again when it was added meanwhile, and again after a failure', async () => {
    const abort = new AbortController();
    const log: string[] = [];
    let running = 0;
    let failures = 1;
    const done = Promise.withResolvers<void>();
    const queue = createWorkQueue({
      concurrency: 2,
      signal: abort.signal,
      onRetry: (key) => void log.push(`retry ${key}`),
      work: async (key) => {
        running += 1;
        expect(running).toBeLessThanOrEqual(2);
        await Promise.resolve();
        running -= 1;
        if (key === 'b' && failures-- > 0) throw new Error('again');
        log.push(key);
        if (log.length === 5) done.resolve();
      },
    });
    for (const key of ['a', 'a', 'b', 'c']) queue.add(key);
    await done.promise;
    // `a` was being worked on when it was added once more.
    expect(log.filter((key) => key === 'a')).toHaveLength(2);
    expect(log.filter((key) => key === 'retry b')).toHaveLength(1);
    expect(log.at(-1)).toBe('b');
    abort.abort();
    await queue.ended;
  });
});
