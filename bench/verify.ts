/** Verification of a bundle against its floor, one P-256 verification (budget: docs say what each figure may be). */
import { generateKeyPairSync, sign } from 'node:crypto';
import { nodeCrypto } from '../platform/crypto/node-crypto.ts';
import { fixture } from '../test/support/evidence.ts';
import { verify } from '../verify/verify.ts';
import { VerifyCache } from '../verify/verify-cache.ts';
import { alternate } from './figures.ts';

const CALLS = 256;

export function benchVerify(): void {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const message = new Uint8Array(150).fill(7);
  const signature = sign('sha256', message, privateKey);
  const spki = new Uint8Array(publicKey.export({ type: 'spki', format: 'der' }));
  // Each has a quote of its own; the certificates are the same.
  const fixtures = Array.from({ length: CALLS }, (_, call) =>
    fixture({
      statement: (statement) => ({ ...statement, iat: statement.iat - call }),
      policy: (policy) => ({ ...policy, maxAge: 2 * CALLS }),
    }),
  );
  const [first] = fixtures;
  if (first === undefined) return;
  const known = new VerifyCache();
  let fresh = new VerifyCache();
  const judge = (call: number, cache: VerifyCache): void => {
    const { bundle, policy } = fixtures[call] ?? first;
    // One context: the cache knows trust anchors by identity.
    const verdict = verify(bundle, policy, { ...first.context, cache });
    if (!verdict.ok) throw new Error(`refused: ${verdict.code}`);
  };
  const figures = alternate(
    {
      'P-256 verification': () => {
        if (!nodeCrypto.verifySignature(spki, 'ecdsa-sha256', message, signature))
          throw new Error('bad signature');
      },
      'evidence, AK chain seen before': (call) => {
        // A new cache each round, warmed by one bundle: chains are known, quotes are not.
        if (call === 0) {
          fresh = new VerifyCache();
          judge(0, fresh);
        }
        judge(call, fresh);
      },
      'evidence, quote seen before': () => judge(0, known),
      'evidence, nothing seen before': (call) => judge(call, new VerifyCache()),
    },
    5,
    CALLS,
  );
  const floor = figures['P-256 verification'] ?? Number.NaN;
  for (const [name, each] of Object.entries(figures))
    console.log(`${name}: ${each.toFixed(1)} us, ${(each / floor).toFixed(2)}x`);
}
