import { describe, expect, test } from 'vitest';
import { issue } from '../../certs/issue/issue.ts';
import { LIFETIMES } from '../../certs/issue/lifetimes.ts';
import { enclaveProfile } from '../../certs/issue/profiles.ts';
import { decideRevocation, ENDED_SECONDS } from '../../certs/trust/revoke.ts';
import {
  EMPTY_STATE,
  MAX_REVOCATIONS,
  MAX_REVOCATIONS_PER_OWNER,
  revocationsOf,
  revokedUsers,
  withoutEnded,
  withRevocation,
} from '../../certs/trust/trust-state.ts';
import { encodeGrant, GRANT_REVOCATION_VERSION, grantMessage } from '../../formats/evidence/grant.ts';
import type { Roots } from '../../formats/evidence/roots.ts';
import {
  encodeTrustDocument,
  MAX_TRUST_DOCUMENT_BYTES,
  TRUST_DOCUMENT_VERSION,
  type TrustDocument,
} from '../../formats/evidence/trust-document.ts';
import { ISSUERS } from '../../names/signers.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import { generateKey } from '../../platform/identity/key-pair.ts';
import type { Pod } from '../../platform/kube/resources.ts';
import type { RevokeRequest } from '../../proto/gen/enclave_licensing/trust/v1/trust.ts';
import { createTestAuthority } from '../support/test-authority.ts';
import { codeOf, DOMAINS, NOW, serial, sha256Hex, testAuthority } from './support.ts';

describe('revocations', () => {
  type Revoked = TrustDocument['revoked'];
  const empty: Revoked = { certificates: [], users: [], grants: [] };

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

  test('one that is sent again, the old one included, takes nothing back', () => {
    const grant = { ownerKeySha256: 'aa'.repeat(32), keySha256: 'bb'.repeat(32), enclave: 'e1' };
    const late = withRevocation(empty, 'grants', { ...grant, until: NOW + 100 }) ?? empty;
    expect(withRevocation(late, 'grants', { ...grant, until: NOW + 1 })).toBe(late);
    expect(withRevocation(late, 'grants', { ...grant, until: NOW + 200 })?.grants).toEqual([
      { ...grant, until: NOW + 200 },
    ]);
    const user = withRevocation(empty, 'users', { user: 'mallory' }) ?? empty;
    expect(withRevocation(user, 'users', { user: 'mallory' })).toBe(user);
  });

  test('no owner takes the room of all, and no names are so long that the document does not fit', () => {
    const grant = (owner: string, key: number, enclave = 'e1') => ({
      ...{ ownerKeySha256: owner.repeat(64), keySha256: key.toString(16).padStart(64, '0') },
      ...{ enclave, until: NOW + 10 },
    });
    let revoked: Revoked = empty;
    const add = (entry: ReturnType<typeof grant>): boolean => {
      const more = withRevocation(revoked, 'grants', entry);
      revoked = more ?? revoked;
      return more !== undefined;
    };
    for (let key = 0; key < MAX_REVOCATIONS_PER_OWNER; key += 1) expect(add(grant('a', key))).toBe(true);
    expect(add(grant('a', MAX_REVOCATIONS_PER_OWNER))).toBe(false);
    expect(add({ ...grant('a', 0), until: NOW + 20 })).toBe(true);
    expect(add(grant('b', 0))).toBe(true);

    const long = { certificates: 'p'.repeat(253), users: '\u{1F600}'.repeat(64), grants: 'e'.repeat(253) };
    const entry = (kind: keyof Revoked, id: string) =>
      ({
        certificates: { podUid: id + long.certificates.slice(4), until: NOW + 10 },
        users: { user: id + long.users },
        grants: { ...grant('c', 0, id + long.grants.slice(4)), ownerKeySha256: id.padStart(64, 'd') },
      })[kind];
    let all: Revoked = empty;
    for (const kind of ['certificates', 'users', 'grants'] as const)
      for (let i = 0; ; i += 1) {
        const next = withRevocation(all, kind, entry(kind, String(i).padStart(4, '0')));
        if (next === undefined) break;
        all = next;
      }
    const roots = Object.fromEntries(
      ISSUERS.map((issuer) => [issuer, [createTestAuthority(issuer).root]]),
    ) as unknown as Roots;
    const document = (operatorRevoked: string[]) =>
      encodeTrustDocument({
        ...{ v: TRUST_DOCUMENT_VERSION, version: Number.MAX_SAFE_INTEGER, issuedAt: NOW, roots },
        rootSets: Array.from({ length: 64 }, () => 'ab'.repeat(32)),
        revoked: {
          ...all,
          users: revokedUsers({ ...EMPTY_STATE, revoked: all, operatorRevoked }),
        },
        pcrSelection: { hash: 'sha256', pcrs: [0] },
        tokenKeys: { keys: [] },
        epoch: { current: new Uint8Array(32), previous: new Uint8Array(32), at: NOW },
      }).length;
    expect(document([])).toBeGreaterThan(400_000);
    expect(document(Array.from({ length: 3000 }, (_, i) => `${long.users}${i}`))).toBeLessThan(
      MAX_TRUST_DOCUMENT_BYTES - 32_768,
    );
  });

  const authority = testAuthority();
  const roots = Object.fromEntries(
    ISSUERS.map((issuer) => [issuer, [authority.issuer(issuer).certificate.der]]),
  ) as unknown as Roots;
  const certificateOf = (podUid: string, node: string, by = authority, wishedSeconds = 3600) => {
    const binding = { podUid, enclave: 'e1', node };
    const names = {
      dns: `e1.${DOMAINS.enclaveDomain}`,
      spiffeId: `spiffe://${DOMAINS.trustDomain}/ns/a/sa/b`,
    };
    const profile = enclaveProfile(generateKey().spki, names, binding, { wishedSeconds });
    const key = by.issuer('enclaves');
    const issued = issue(profile, { crypto: nodeCrypto, key, now: NOW, serial: serial() });
    if (!issued.ok) throw new Error(issued.message);
    return issued.value.certificate;
  };
  const agent = { component: 'agent', node: 'node-1', dnsNames: [] } as const;
  const launcher = { component: 'launcher', dnsNames: [] } as const;
  const front = { component: 'front', dnsNames: [] } as const;
  const pod = (podUid: string, certificate: Uint8Array = new Uint8Array(0)): RevokeRequest => ({
    subject: { $case: 'certificate', value: { podUid, certificate, namespace: 'a', pod: 'p' } },
  });
  const user: RevokeRequest = { subject: { $case: 'user', value: { user: 'mallory' } } };
  const decide = (
    caller: Parameters<typeof decideRevocation>[0],
    request: RevokeRequest,
    there?: Pod,
    now = NOW,
  ) => decideRevocation(caller, request, { crypto: nodeCrypto, roots, pod: there, now });

  test("an agent: its own node's pods, by their certificate, until it ends", () => {
    const shown = certificateOf('pod-1', 'node-1');
    expect(decide(agent, pod('pod-1', shown))).toEqual({
      ok: true,
      value: { kind: 'certificates', entry: { podUid: 'pod-1', until: NOW + 3600 } },
    });
    for (const [caller, request] of [
      [{ ...agent, node: 'node-2' }, pod('pod-1', shown)],
      [agent, pod('pod-2', shown)],
      [agent, pod('pod-1', certificateOf('pod-1', 'node-1', testAuthority()))],
      [agent, pod('pod-1', authority.issuer('enclaves').certificate.der)],
      [agent, pod('pod-1', shown.subarray(1))],
      [agent, pod('')],
    ] as const)
      expect(codeOf(decide(caller, request))).toBe('revocation-foreign');
    expect(codeOf(decide(agent, pod('pod-1', shown), undefined, NOW + 3601))).toBe('revocation-foreign');
    expect(codeOf(decide({ component: 'agent', dnsNames: [] }, pod('pod-1', shown)))).toBe('caller-role');
    for (const other of [launcher, front])
      expect(codeOf(decide(other, pod('pod-1', shown)))).toBe('caller-role');
  });

  test('a pod that has ended stays revoked for as long as its sidecar could go on without its agent', () => {
    const day = 24 * 3600;
    const shown = certificateOf('pod-1', 'node-1', authority, day);
    const there: Pod = { metadata: { uid: 'pod-1' }, spec: { nodeName: 'node-1', containers: [] } };
    const terminating = {
      ...there,
      metadata: { ...there.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' },
    };
    const ended = { ...terminating, status: { phase: 'Succeeded' } };
    const untilOf = (pod_: Pod | undefined, request = pod('pod-1', shown)) => {
      const decided = decide(agent, request, pod_);
      return decided.ok && 'until' in decided.value.entry ? decided.value.entry.until - NOW : undefined;
    };
    expect(untilOf(there)).toBe(day);
    expect(untilOf(undefined)).toBe(ENDED_SECONDS);
    expect(untilOf({ ...there, metadata: { uid: 'its-successor' } })).toBe(ENDED_SECONDS);
    expect(untilOf({ ...there, status: { phase: 'Failed' } })).toBe(ENDED_SECONDS);
    expect(untilOf(ended)).toBe(ENDED_SECONDS);
    expect(untilOf(ended, pod('pod-1'))).toBe(ENDED_SECONDS);
    // Its sidecar gets trust documents to the end, however long its grace period is.
    expect(untilOf(terminating)).toBe(day);
  });

  test('an agent that was restarted: its own node’s pods that are there, until what they have ends at the latest', () => {
    const there: Pod = { metadata: { uid: 'pod-1' }, spec: { nodeName: 'node-1', containers: [] } };
    expect(decide(agent, pod('pod-1'), there)).toMatchObject({
      value: { entry: { podUid: 'pod-1', until: NOW + LIFETIMES.enclaves.most } },
    });
    expect(codeOf(decide({ ...agent, node: 'node-2' }, pod('pod-1'), there))).toBe('revocation-foreign');
    expect(codeOf(decide(agent, pod('pod-2'), there))).toBe('revocation-foreign');
    expect(codeOf(decide(agent, pod('pod-1')))).toBe('revocation-foreign');
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
    const revocation = (notAfter: number) =>
      encodeGrant({
        v: GRANT_REVOCATION_VERSION,
        enclave: 'e1',
        ownerKey: owner.spki,
        keySha256: 'ab'.repeat(32),
        user: 'bob',
        notAfter,
      });
    const json = revocation(NOW + 10);
    const message = grantMessage(json, GRANT_REVOCATION_VERSION);
    const request = (signature: Uint8Array, bytes: Uint8Array = json): RevokeRequest => ({
      subject: {
        $case: 'grant',
        value: { revocation: Buffer.from(bytes), signature: Buffer.from(signature) },
      },
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
    const over = revocation(NOW);
    expect(
      codeOf(decide(launcher, request(owner.sign(grantMessage(over, GRANT_REVOCATION_VERSION)), over))),
    ).toBe('revocation-invalid');
    // The same meaning in other bytes, or with a member twice, is not what was signed.
    const text = Buffer.from(json).toString();
    for (const other of [` ${text}`, text.replace('"bob"', '"eve"'), text.replace('{', '{"user":"eve",')])
      expect(codeOf(decide(launcher, request(owner.sign(message), Buffer.from(other))))).toBe(
        'revocation-invalid',
      );
    const twice = Buffer.from(text.replace('{', '{"user":"bob",'));
    expect(
      codeOf(decide(launcher, request(owner.sign(grantMessage(twice, GRANT_REVOCATION_VERSION)), twice))),
    ).toBe('revocation-invalid');
    // A grant's own signature does not revoke it.
    expect(codeOf(decide(launcher, request(owner.sign(grantMessage(json)))))).toBe('revocation-invalid');
  });
});
