import { expect, test } from 'vitest';
import { agentMetrics } from '../../agent/metrics.ts';
import { Revoker, type RevokerOptions } from '../../agent/pods/revoker.ts';
import { RpcRefusal } from '../../platform/rpc/rpc-error.ts';
import type { RevokedCertificate } from '../../proto/gen/enclave_licensing/trust/v1/trust.ts';
import { recordingLogger } from '../support/recording-logger.ts';
import { recordingMetrics } from '../support/recording-metrics.ts';
import { until } from '../support/until.ts';

const away = new RpcRefusal('UNAVAILABLE', {
  code: 'not-leading',
  message: 'another leads',
  remedy: 'again',
});
const foreign = new RpcRefusal('NOT_FOUND', {
  code: 'revocation-foreign',
  message: 'none',
  remedy: 'nothing',
});
const certificate = new Uint8Array([1, 2, 3]);
const pod = (podUid: string, der = new Uint8Array(0)): RevokedCertificate => ({
  podUid,
  certificate: der as Buffer,
  namespace: 'enclaves',
  pod: podUid,
});

/** A revoker whose certificate service answers as the test says. */
function revoker(answer: (asked: RevokedCertificate) => Error | undefined) {
  const asked: RevokedCertificate[] = [];
  const recorded = recordingMetrics();
  const client = {
    revoke: async ({ subject }: { subject: { value: RevokedCertificate } }) => {
      asked.push(subject.value);
      const error = answer(subject.value);
      if (error !== undefined) throw error;
      return { version: 1n };
    },
  } as unknown as RevokerOptions['client'];
  const { log } = recordingLogger();
  const { signal } = new AbortController();
  const results = (): Record<string, number> =>
    Object.fromEntries(
      ['ok', 'failed', 'refused', 'unknown'].map((result) => [
        result,
        recorded.values.get(`revocations_total{result="${result}"}`) ?? 0,
      ]),
    );
  return { asked, results, own: new Revoker({ client, log, metrics: agentMetrics(recorded), signal }) };
}

test('what is refused for good holds up nobody, and what nobody knows of is no failure', async () => {
  const { asked, results, own } = revoker(({ podUid }) => (podUid === 'last' ? undefined : foreign));
  const begun = performance.now();
  for (let i = 0; i < 40; i += 1) own.revoke(pod(`p${i}`));
  own.revoke(pod('foreign', certificate));
  own.revoke(pod('last', certificate));
  await until('the last is revoked', async () => results().ok === 1);
  // Pauses that double from 200 ms would be minutes by now.
  expect(performance.now() - begun).toBeLessThan(5_000);
  expect(results()).toEqual({ ok: 1, failed: 0, refused: 1, unknown: 40 });
  expect(asked).toHaveLength(42);
});

test('a certificate that is known is not forgotten because somebody asks again without', async () => {
  let up = false;
  const { asked, results, own } = revoker(() => (up ? undefined : away));
  own.revoke(pod('p', certificate));
  await until('the service is away', async () => results().failed === 1);
  own.revoke(pod('p'));
  up = true;
  await until('it is revoked', async () => results().ok === 1);
  expect(asked.map(({ certificate }) => certificate.length)).toEqual([3, 3]);
  own.revoke(pod('q'));
  own.revoke(pod('q', certificate));
  await until('all is asked', async () => asked.length === 4 && results().ok === 3);
  expect(asked.at(-1)?.certificate.length).toBe(3);
});
