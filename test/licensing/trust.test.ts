import { afterEach, expect, test, vi } from 'vitest';
import { publishTokenKeys } from '../../licensing/front/tokens/publish-keys.ts';
import { judgeComponent } from '../../licensing/trust/component-role.ts';
import { OID_EKU_ENCLAVE, OID_EKU_SERVER_AUTH } from '../../names/oids.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import { silentLogger } from '../../platform/log/logger.ts';
import { systemClock } from '../../platform/run/clock.ts';
import { TrustHolder } from '../../platform/trust/trust-holder.ts';
import { createTestAuthority, type TestAuthority } from '../support/test-authority.ts';
import { documentOf, rootsOf } from '../support/trust-documents.ts';

const over: AbortController[] = [];
afterEach(() => {
  for (const each of over.splice(0)) each.abort();
});
const signal = (): AbortSignal => {
  const abort = new AbortController();
  over.push(abort);
  return abort.signal;
};

test('a component is judged by chain, role, name, usage and time', () => {
  const system = createTestAuthority('system');
  const name = 'enclave-certs.enclave-licensing.svc';
  const judge = judgeComponent(() => rootsOf(system), systemClock, name, 'server');
  const leaf = (authority: TestAuthority, fields: object = {}) =>
    authority.issue({ dns: [name], ...fields }).chain[0];
  expect(judge(leaf(system))).toBeUndefined();
  for (const wrong of [
    undefined,
    leaf(createTestAuthority('system')),
    leaf(system, { dns: ['enclave-front.enclave-licensing.svc'] }),
    leaf(system, { extendedKeyUsage: [OID_EKU_ENCLAVE, OID_EKU_SERVER_AUTH] }),
    leaf(system, { extendedKeyUsage: [OID_EKU_SERVER_AUTH] }),
    leaf(system, { notBefore: 1_000_000, notAfter: 2_000_000 }),
  ])
    expect(judge(wrong)).toEqual(expect.any(String));
});

test('token keys are handed out until a document holds them, and again when it no longer does', async () => {
  const system = createTestAuthority('system');
  const roots = rootsOf(system);
  const holder = new TrustHolder(nodeCrypto, roots);
  const key = { kty: 'EC', crv: 'P-256', x: 'A'.repeat(43), y: 'A'.repeat(43), kid: 'k1' } as const;
  let failures = 2;
  let calls = 0;
  const client = {
    setTokenKeys: async ({ jwks }: { jwks: string }) => {
      calls += 1;
      if (failures > 0) {
        failures -= 1;
        throw new Error('away');
      }
      expect(JSON.parse(jwks)).toEqual({ keys: [key] });
      setImmediate(() => holder.offer(documentOf(system, holder.version + 1, roots, [key])));
      return { version: 1n };
    },
  };
  void publishTokenKeys(client, holder, { keys: [key] }, silentLogger, signal());
  holder.offer(documentOf(system, 1, roots));
  await vi.waitFor(() => expect(holder.version).toBe(2), 15_000);
  expect(calls).toBe(3);
  holder.offer(documentOf(system, 3, roots, [key]));
  holder.offer(documentOf(system, 4, roots));
  await vi.waitFor(() => expect(holder.version).toBe(5), 15_000);
  expect(calls).toBe(4);
});
