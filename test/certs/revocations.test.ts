import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { openIssuedLog } from '../../certs/issue/issued-log.ts';
import { decideRevocation } from '../../certs/trust/revoke.ts';
import {
  MAX_REVOCATIONS,
  revocationsOf,
  withoutEnded,
  withRevocation,
} from '../../certs/trust/trust-state.ts';
import { encodeGrant, GRANT_REVOCATION_VERSION, grantMessage } from '../../formats/evidence/grant.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import { generateKey } from '../../platform/identity/key-pair.ts';
import type { RevokeRequest } from '../../proto/gen/enclave_licensing/trust/v1/trust.ts';
import { codeOf, NOW, removeFolders, sha256Hex, temporaryFolder } from './support.ts';

afterAll(removeFolders);

describe('revocations', () => {
  const empty = { certificates: [], users: [], grants: [] };

  test('are there once, end by themselves, and have a bound', () => {
    const once = withRevocation(empty, 'certificates', { podUid: 'a', until: NOW + 1 });
    const twice = once && withRevocation(once, 'certificates', { podUid: 'a', until: NOW + 9 });
    expect(twice?.certificates).toEqual([{ podUid: 'a', until: NOW + 9 }]);
    expect(revocationsOf(twice ?? empty).isPodRevoked('a')).toBe(true);
    expect(revocationsOf(twice ?? empty).isPodRevoked('b')).toBe(false);
    expect(withoutEnded(twice ?? empty, NOW + 9).certificates).toEqual([]);
    const users = Array.from({ length: MAX_REVOCATIONS }, (_, i) => ({ user: `user-${i}` }));
    expect(withRevocation({ ...empty, users }, 'users', { user: 'one more' })).toBeUndefined();
    expect(withRevocation({ ...empty, users }, 'users', { user: 'user-7' })?.users).toHaveLength(
      MAX_REVOCATIONS,
    );
  });

  const folder = temporaryFolder();
  const issued = openIssuedLog(folder, () => NOW);
  issued.add({ podUid: 'pod-1', node: 'node-1', notAfter: NOW + 100 });
  issued.add({ podUid: 'pod-1', node: 'node-1', notAfter: NOW + 50 });
  issued.add({ podUid: 'gone', node: 'node-1', notAfter: NOW + 1 });
  const agent = { component: 'agent', node: 'node-1', dnsNames: [] } as const;
  const launcher = { component: 'launcher', dnsNames: [] } as const;
  const front = { component: 'front', dnsNames: [] } as const;
  const pod = (podUid: string): RevokeRequest => ({ subject: { $case: 'certificate', value: { podUid } } });
  const user: RevokeRequest = { subject: { $case: 'user', value: { user: 'mallory' } } };
  const decide = (caller: Parameters<typeof decideRevocation>[1], request: RevokeRequest, log = issued) =>
    decideRevocation(nodeCrypto, caller, request, log);

  test("an agent: its own node's pods, until their last certificate ends", () => {
    expect(decide(agent, pod('pod-1'))).toEqual({
      ok: true,
      value: { kind: 'certificates', entry: { podUid: 'pod-1', until: NOW + 100 } },
    });
    expect(codeOf(decide({ ...agent, node: 'node-2' }, pod('pod-1')))).toBe('revocation-foreign');
    expect(codeOf(decide(agent, pod('unknown')))).toBe('revocation-foreign');
    expect(codeOf(decide({ component: 'agent', dnsNames: [] }, pod('pod-1')))).toBe('caller-role');
    for (const other of [launcher, front]) expect(codeOf(decide(other, pod('pod-1')))).toBe('caller-role');
  });

  test('what was issued is known after a restart, and what has ended is not', () => {
    const again = openIssuedLog(folder, () => NOW + 60);
    expect(again.find('pod-1')?.notAfter).toBe(NOW + 100);
    expect(again.find('gone')).toBeUndefined();
    writeFileSync(
      join(folder, 'issued-enclaves.jsonl'),
      '{"podUid":"a","node":"n","notAfter":9999999999}\n{"podU',
    );
    expect(openIssuedLog(folder, () => NOW).find('a')?.node).toBe('n');
  });

  test('what has ended does not pile up while the process runs', () => {
    let now = NOW;
    const own = temporaryFolder();
    const log = openIssuedLog(own, () => now, 4);
    for (let i = 0; i < 40; i += 1, now += 10) {
      log.add({ podUid: `pod-${i}`, node: 'node-1', notAfter: now + 15 });
      expect(log.find(`pod-${i}`)?.notAfter).toBe(now + 15);
      const kept = readFileSync(join(own, 'issued-enclaves.jsonl'), 'utf8').trim().split('\n');
      expect(kept.length).toBeLessThanOrEqual(9);
      expect(kept.at(-1)).toContain(`"pod-${i}"`);
    }
    expect(log.find('pod-0')).toBeUndefined();
  });

  test('the launcher: users', () => {
    expect(codeOf(decide(launcher, user))).toBe('ok');
    for (const other of [agent, front]) expect(codeOf(decide(other, user))).toBe('caller-role');
    expect(codeOf(decide(launcher, { subject: undefined }))).toBe('revocation-invalid');
    expect(codeOf(decide(launcher, { subject: { $case: 'user', value: { user: '' } } }))).toBe(
      'revocation-invalid',
    );
  });

  test('the launcher: grants, when their owner signed', () => {
    const [owner, other] = [generateKey(), generateKey()];
    const json = encodeGrant({
      v: GRANT_REVOCATION_VERSION,
      enclave: 'e1',
      ownerKey: owner.spki,
      keySha256: 'ab'.repeat(32),
      user: 'bob',
      notAfter: NOW + 10,
    });
    const message = grantMessage(json, GRANT_REVOCATION_VERSION);
    const request = (signature: Uint8Array): RevokeRequest => ({
      subject: { $case: 'grant', value: { revocation: json, signature } },
    });
    expect(decide(launcher, request(owner.sign(message)))).toMatchObject({
      ok: true,
      value: {
        kind: 'grants',
        entry: { ownerKeySha256: sha256Hex(owner.spki), enclave: 'e1', until: NOW + 10 },
      },
    });
    expect(codeOf(decide(launcher, request(other.sign(message))))).toBe('revocation-invalid');
    expect(codeOf(decide(agent, request(owner.sign(message))))).toBe('caller-role');
    // A grant's own signature does not revoke it.
    expect(codeOf(decide(launcher, request(owner.sign(grantMessage(json)))))).toBe('revocation-invalid');
  });
});
