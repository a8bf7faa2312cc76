import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { TrustDocument } from '../../formats/evidence/trust-document.ts';
import { liveValue } from '../../platform/run/live.ts';
import type { Allowed } from '../../sidecar/access/access.ts';
import { accessClock } from '../../sidecar/access/access-clock.ts';
import { createStandingAccess } from '../../sidecar/access/standing-access.ts';
import { createTestAuthority } from '../support/test-authority.ts';
import { ENCLAVE, trustDocument } from './trust-fixture.ts';

const START = 1_800_000_000;
const OWNER = 'aa'.repeat(32);
const KEY = 'bb'.repeat(32);
const RULES = { enclave: ENCLAVE, ownerKeySha256: OWNER, trustLimit: 600, podUid: 'own' };
const NOTHING = { certificates: [], users: [], grants: [] };

beforeEach(() => void vi.useFakeTimers({ now: START * 1000 }));
afterEach(() => void vi.useRealTimers());

function fixture() {
  const made = (version: number, changes: Partial<TrustDocument> = {}) =>
    trustDocument(version, { issuedAt: Math.floor(Date.now() / 1000), ...changes });
  const trust = liveValue<{ document: TrustDocument | undefined }>({ document: made(1) });
  const said: string[] = [];
  const wall = { ahead: 0 };
  const clock = accessClock({ now: () => Date.now() + wall.ahead }, () => Date.now() - 5, trust);
  const standing = createStandingAccess({
    rules: RULES,
    trust,
    clock,
    onUsable: (usable) => said.push(usable.ok ? 'ok' : usable.code),
  });
  const hold = (changes: Partial<Allowed> = {}, judge?: () => Promise<never>) => {
    const allowed: Allowed = {
      user: 'alice',
      via: 'owner',
      keySha256: KEY,
      notAfter: START + 86_400,
      ...changes,
    };
    const held = { judged: 0, ended: [] as string[], letGo: () => {} };
    held.letGo = standing.hold(allowed, {
      judge: () => {
        held.judged += 1;
        return judge?.() ?? { ok: true, value: allowed };
      },
      end: ({ code }) => held.ended.push(code),
    });
    return held;
  };
  const publish = (version: number, changes: Partial<TrustDocument> = {}): void =>
    trust.set({ document: made(version, changes) });
  return { clock, hold, publish, said, standing, wall };
}

test('an access ends to the second, and no sooner', async () => {
  const { hold } = fixture();
  const ends = [
    hold({ notAfter: START + 5 }),
    hold({ via: 'grant', notAfter: START + 5 }),
    hold({ via: 'token', notAfter: START + 5 }),
  ];
  const later = hold({ notAfter: START + 300 });
  await vi.advanceTimersByTimeAsync(4_999);
  expect(ends.flatMap(({ ended }) => ended)).toEqual([]);
  await vi.advanceTimersByTimeAsync(1);
  expect(ends.flatMap(({ ended }) => ended)).toEqual([
    'certificate-expired',
    'grant-expired',
    'token-invalid',
  ]);
  await vi.advanceTimersByTimeAsync(294_999);
  expect(later.ended).toEqual([]);
  await vi.advanceTimersByTimeAsync(1);
  expect(later.ended).toEqual(['certificate-expired']);
});

test('what is revoked ends at once, and nothing else does', () => {
  const { hold, publish } = fixture();
  const [alice, bob, carol, token] = [
    hold(),
    hold({ user: 'bob', via: 'grant' }),
    hold({ user: 'carol' }),
    hold({ user: 'carol', via: 'token', keySha256: undefined }),
  ];
  const gone = hold({ user: 'carol' });
  gone.letGo();
  const grant = { ownerKeySha256: OWNER, keySha256: KEY, enclave: ENCLAVE, until: START };
  publish(2, {
    revoked: {
      ...NOTHING,
      // The same key, elsewhere or by somebody else, is not this grant.
      grants: [
        { ...grant, enclave: 'other' },
        { ...grant, ownerKeySha256: KEY },
        { ...grant, keySha256: OWNER },
      ],
      users: [{ user: 'carol' }],
      certificates: [{ podUid: 'another', until: START }],
    },
  });
  expect([alice.ended, bob.ended, carol.ended, token.ended, gone.ended]).toEqual([
    [],
    [],
    ['user-revoked'],
    ['user-revoked'],
    [],
  ]);
  publish(3, { revoked: { ...NOTHING, grants: [grant] } });
  expect([alice.ended, bob.ended]).toEqual([[], ['grant-revoked']]);
  publish(4, { revoked: { ...NOTHING, certificates: [{ podUid: 'own', until: START }] } });
  expect(alice.ended).toEqual(['enclave-revoked']);
  expect(carol.ended).toHaveLength(1);
});

test('a trust document that gets too old ends all, says so once, and the next one mends it', async () => {
  const { hold, publish, said, standing } = fixture();
  const held = hold();
  publish(2);
  expect(said).toEqual(['ok']);
  await vi.advanceTimersByTimeAsync(600_000);
  expect(held.ended).toEqual([]);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(held.ended).toEqual(['trust-document-stale']);
  await vi.advanceTimersByTimeAsync(600_000);
  expect(said).toEqual(['ok', 'trust-document-stale']);
  publish(3);
  expect(said).toEqual(['ok', 'trust-document-stale', 'ok']);
  const next = hold();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(next.ended).toEqual([]);
  standing.close();
  expect(vi.getTimerCount()).toBe(0);
});

test('a clock that is set back makes nothing last longer', async () => {
  const { clock, hold, publish, said, wall } = fixture();
  publish(2);
  const [short, long] = [hold({ notAfter: START + 300 }), hold()];
  await vi.advanceTimersByTimeAsync(200_000);
  wall.ahead = -3_600_000;
  await vi.advanceTimersByTimeAsync(100_000);
  expect([short.ended, long.ended]).toEqual([['certificate-expired'], []]);
  // What is new is judged by the same time, also when a document has come since: it says how late it is.
  expect(clock.now()).toBe((START + 300) * 1000);
  publish(3);
  expect(clock.now()).toBe((START + 300) * 1000);
  const late = hold({ notAfter: START + 300 });
  await vi.advanceTimersByTimeAsync(600_000);
  expect([late.ended, long.ended]).toEqual([['certificate-expired'], []]);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(long.ended).toEqual(['trust-document-stale']);
  expect(said).toEqual(['ok', 'ok', 'trust-document-stale']);
});

test('a document that was old when it came is as old by a clock that is set back then', async () => {
  const { hold, publish, wall } = fixture();
  publish(2, { issuedAt: START - 500 });
  publish(3, { issuedAt: START - 400 });
  const held = hold();
  wall.ahead = -3_600_000;
  // No document is younger for one that is older and came later.
  publish(4, { issuedAt: START - 450 });
  await vi.advanceTimersByTimeAsync(150_000);
  expect(held.ended).toEqual([]);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(held.ended).toEqual(['trust-document-stale']);
});

test('a clock that was ahead and is set right is believed again with the next document', async () => {
  const { clock, publish, said, wall } = fixture();
  wall.ahead = 7_200_000;
  publish(2, { issuedAt: START + 1 });
  wall.ahead = 0;
  expect(said).toEqual(['trust-document-stale']);
  publish(3, { issuedAt: START + 60 });
  expect(said).toEqual(['trust-document-stale', 'ok']);
  expect(clock.now()).toBe((START + 60) * 1000);
});

test('signatures are checked again only when the keys that they were checked by change', async () => {
  const { hold, publish } = fixture();
  const kept = hold();
  const lost = hold({}, () => Promise.reject(new Error('no')));
  publish(2, { revoked: { ...NOTHING, users: [{ user: 'somebody' }] } });
  expect([kept.judged, lost.judged]).toEqual([0, 0]);
  publish(3, { roots: { ...trustDocument(1).roots, users: [createTestAuthority('users').root] } });
  await vi.advanceTimersByTimeAsync(0);
  expect([kept.judged, lost.judged]).toEqual([1, 1]);
  expect([kept.ended, lost.ended]).toEqual([[], ['token-invalid']]);
});

test('what was revoked while it was judged is not held', async () => {
  const { hold, publish } = fixture();
  publish(2, { revoked: { ...NOTHING, users: [{ user: 'alice' }] } });
  const late = hold();
  expect(late.ended).toEqual([]);
  await vi.advanceTimersByTimeAsync(0);
  expect(late.ended).toEqual(['user-revoked']);
});
