import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  type Challenge,
  challenge,
  type Judgement,
  judgeEvidence,
} from '../../client/library/evidence/judge-evidence.ts';
import { TrustStore } from '../../client/state/trust-store.ts';
import { toBase64url } from '../../formats/bytes/base64.ts';
import { rootsSha256, rootsToJson } from '../../formats/evidence/roots.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import { type Changes, fixture } from '../support/evidence.ts';
import { FIXTURE_NOW, fixtureRoots } from '../support/fixture-certificates.ts';

let folder: string;
let store: TrustStore;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'judge-'));
  store = new TrustStore(folder, 'ab');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** The answer to a challenge, from a TPM whose clock stands there. */
function judge(asked: Challenge, clock: bigint, changes: Changes = {}): Promise<Judgement> {
  const { bundle, policy, context } = fixture({
    ...changes,
    statement: (s) => ({ ...s, eat_nonce: toBase64url(asked.nonce) }),
    attest: (a) => ({ ...a, clockInfo: { ...a.clockInfo, clock } }),
  });
  const roots = fixtureRoots();
  const trust = {
    roots,
    rootSets: [rootsSha256(nodeCrypto, rootsToJson(roots))],
    rootsTexts: [],
    version: 1,
  };
  const { ownerKeySha256, liveCertificate } = context;
  const own = { ...(ownerKeySha256 && { ownerKeySha256 }), ...(liveCertificate && { liveCertificate }) };
  return judgeEvidence(bundle, asked, { policy, trust, now: FIXTURE_NOW, ...own }, store);
}

test('answers that come in another order than their questions make no honest TPM go back', async () => {
  const [first, second] = [challenge(store), challenge(store)];
  expect(first.nonce).not.toEqual(second.nonce);
  expect(await judge(second, 20_000n)).toMatchObject({ verdict: { ok: true } });
  expect(await judge(first, 10_000n)).toMatchObject({ verdict: { ok: true } });
  expect(store.nodes().nodes).toMatchObject([{ clock: 20_000 }]);
  // Asked from now on, nothing before that will do.
  expect(await judge(challenge(store), 19_999n)).toMatchObject({
    verdict: { ok: false, code: 'clock-went-back' },
    acceptable: { clock: 19_999 },
  });
});

test('what is accepted is what was shown: something else that was refused meanwhile is not', async () => {
  await judge(challenge(store), 20_000n);
  await judge(challenge(store), 15_000n);
  const [shown] = store.nodes().refused;
  await judge(challenge(store), 5_000n);
  if (shown === undefined) throw new Error('nothing was refused');
  expect(await store.accept(shown, 1)).toBe(false);
  expect(store.nodes()).toMatchObject({ nodes: [{ clock: 20_000 }], refused: [{ clock: 5_000 }] });
  const [now] = store.nodes().refused;
  if (now === undefined) throw new Error('nothing was refused');
  expect(await store.accept(now, 1)).toBe(true);
  expect(await judge(challenge(store), 5_001n)).toMatchObject({ verdict: { ok: true } });
  expect(await judge(challenge(store), 4_999n)).toMatchObject({ verdict: { ok: false } });
});

test('a verdict that is refused leaves no trace in what counts', async () => {
  await judge(challenge(store), 20_000n);
  const before = store.nodes();
  const stale = challenge(store);
  await judge({ ...stale, nonce: new Uint8Array(32) }, 90_000n, {
    policy: (p) => ({ ...p, namespaces: ['other'] }),
  });
  expect(store.nodes()).toEqual(before);
});
