import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import type { TokenKey } from '../../formats/evidence/trust-document.ts';
import { Keyring } from '../../licensing/front/tokens/keyring.ts';
import { publishTokenKeys } from '../../licensing/front/tokens/publish-keys.ts';
import { openSqliteStore } from '../../licensing/store/sqlite-store.ts';
import { judgeComponent } from '../../licensing/trust/component-role.ts';
import { showTrust } from '../../licensing/trust/show-trust.ts';
import { watchTrustAge } from '../../licensing/trust/watch-trust-age.ts';
import { OID_EKU_ENCLAVE, OID_EKU_SERVER_AUTH } from '../../names/oids.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import { createHealth } from '../../platform/health/health.ts';
import { silentLogger } from '../../platform/log/logger.ts';
import { promMetrics } from '../../platform/metrics/prom-metrics.ts';
import { systemClock } from '../../platform/run/clock.ts';
import { TrustHolder } from '../../platform/trust/trust-holder.ts';
import { createTestAuthority, type TestAuthority } from '../support/test-authority.ts';
import { documentOf, rootsOf } from '../support/trust-documents.ts';
import { until } from '../support/until.ts';

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

/** A certificate service that two fronts watch. */
function service(system: TestAuthority) {
  const roots = rootsOf(system);
  const holders = [new TrustHolder(nodeCrypto, roots), new TrustHolder(nodeCrypto, roots)] as const;
  let named: readonly TokenKey[] = [];
  const given: string[] = [];
  const state = { failures: 0, version: 0 };
  const offer = (keys: readonly TokenKey[]): void => {
    named = keys;
    state.version += 1;
    for (const holder of holders) holder.offer(documentOf(system, state.version, roots, keys));
  };
  const client = {
    setTokenKeys: async ({ jwks }: { jwks: string }) => {
      if (state.failures > 0) {
        state.failures -= 1;
        throw new Error('away');
      }
      given.push(jwks);
      const { keys } = JSON.parse(jwks) as { keys: TokenKey[] };
      setImmediate(() => offer(keys));
      return { version: 1n };
    },
  };
  return { holders, client, offer, given, state, named: () => named.map(({ kid }) => kid) };
}

test('token keys of every front are handed out until a document holds them, again when it no longer does, and then rest', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'keys-'));
  const store = openSqliteStore(join(folder, 'front.db'));
  const { holders, client, offer, given, state, named } = service(createTestAuthority('system'));
  const open = () =>
    Keyring.open(store, { keyLifetimeMs: 86_400_000, tokenLifetimeMs: 1000, clock: systemClock });
  const keyrings = [await open(), await open()] as const;
  const both = (await keyrings[0].wanted()).map(({ id }) => id);
  state.failures = 2;
  const running = signal();
  const loops = keyrings.map((keyring, index) =>
    publishTokenKeys(client, holders[index === 0 ? 0 : 1], keyring, silentLogger, running),
  );
  offer([]);
  await vi.waitFor(() => expect(named()).toEqual(both), 15_000);
  for (const keyring of keyrings)
    await vi.waitFor(() => expect(keyring.signingForEnclaves).toBeDefined(), 15_000);
  expect(both).toHaveLength(2);
  const settled = state.version;
  // As a service that lost its state would, or one with a key that is long over.
  offer([]);
  await vi.waitFor(() => expect(named()).toEqual(both), 15_000);
  offer([...(JSON.parse(given.at(-1) ?? '').keys as TokenKey[]), { ...STRANGER, kid: 'long-over' }]);
  await vi.waitFor(() => expect(named()).toEqual(both), 15_000);
  // At most one front too many each time: they do not take turns for ever.
  expect(state.version).toBeLessThanOrEqual(settled + 6);
  for (const each of over.splice(0)) each.abort();
  await Promise.all(loops);
  await store.close();
  rmSync(folder, { recursive: true });
});

const STRANGER = { kty: 'EC', crv: 'P-256', x: 'A'.repeat(43), y: 'A'.repeat(43) } as const;

test('readiness ends when the trust document is too old, and comes back with the next', async () => {
  const system = createTestAuthority('system');
  let now = 1_795_305_600_000;
  const holder = new TrustHolder(nodeCrypto, rootsOf(system), { now: () => now });
  const health = createHealth();
  const limitMs = 3_600_000;
  const check = health.check('trust-document');
  const watching = watchTrustAge({ holder, limitMs, check, signal: signal() });
  expect(health.ready()).toMatchObject({ ok: false, lines: ['trust-document: starting'] });
  holder.offer(documentOf(system, 1, rootsOf(system)));
  expect(health.ready().ok).toBe(true);
  now += limitMs + 1;
  await until('the document is too old', () => !health.ready().ok);
  expect(health.ready().lines).toEqual([
    'trust-document: trust-document-stale: the newest is older than 3600 s',
  ]);
  now -= 60_000;
  holder.offer(documentOf(system, 2, rootsOf(system)));
  expect(health.ready().ok).toBe(true);
  over.at(-1)?.abort();
  await watching;
});

test('the version in use and each refused document are told as metrics', async () => {
  const [system, stranger] = [createTestAuthority('system'), createTestAuthority('system')];
  const holder = new TrustHolder(nodeCrypto, rootsOf(system));
  const metrics = promMetrics('enclave_front_');
  const told = showTrust(metrics, holder);
  told(holder.offer(documentOf(system, 7, rootsOf(system))));
  told(holder.offer(documentOf(stranger, 9, rootsOf(stranger))));
  const text = await metrics.render();
  expect(text).toMatch(/^enclave_front_trust_document_version 7$/m);
  expect(text).toMatch(/^enclave_front_trust_documents_refused_total\{code="[a-z-]+"\} 1$/m);
});
