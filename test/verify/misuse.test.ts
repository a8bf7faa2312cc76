import { describe, expect, test } from 'vitest';
import type { VerifyContext } from '../../verify/context.ts';
import type { Policy } from '../../verify/policy/policy.ts';
import type { Verdict } from '../../verify/verdict.ts';
import { verify } from '../../verify/verify.ts';
import { fixture } from '../support/evidence.ts';

const { bundle, policy, context } = fixture();

/** As a program calls that no compiler checked: refused, or an exception, is both not good. */
function accepted(call: () => Verdict): boolean {
  try {
    return call().ok;
  } catch {
    return false;
  }
}
const judge = (changed: Partial<Record<keyof Policy, unknown>>, around: object = {}) =>
  verify(bundle, { ...policy, ...changed } as Policy, { ...context, ...around } as VerifyContext);

describe('what a caller forgot never means that anything will do', () => {
  test('the evidence is good', () => expect(judge({}).ok).toBe(true));

  // allowEmulatedTpm is false when it is not said; ownerKeys are not asked where the verifier has a key of its own.
  const lists = Object.keys(policy).filter((member) => !['allowEmulatedTpm', 'ownerKeys'].includes(member));
  test.each(lists)('a policy whose %s is missing, or of another kind', (member) => {
    for (const value of [undefined, null, '', {}])
      expect(
        accepted(() => judge({ [member]: value })),
        `${JSON.stringify(value)}`,
      ).toBe(false);
  });

  test('ownerKeys that are missing, where the verifier has no key of its own', () => {
    const { ownerKeySha256: _, ...keyless } = context;
    const withKeys = (ownerKeys: unknown) => verify(bundle, { ...policy, ownerKeys } as Policy, keyless).ok;
    expect(withKeys(policy.ownerKeys)).toBe(true);
    expect(accepted(() => judge({ ownerKeys: undefined }, { ownerKeySha256: undefined }))).toBe(false);
    for (const value of [undefined, null, '', {}])
      expect(
        accepted(() => verify(bundle, { ...policy, ownerKeys: value } as unknown as Policy, keyless)),
      ).toBe(false);
  });

  // `socket.getPeerCertificate().raw` is undefined on a resumed session.
  test('a live certificate that is given, and is none', () => {
    expect(judge({}, { liveCertificate: undefined }).code).toBe('live-certificate-differs');
    expect(judge({}, { liveCertificate: new Uint8Array(0) }).code).toBe('live-certificate-differs');
  });

  test('an owner key that is given, and is none, where the policy accepts any', () => {
    expect(judge({ ownerKeys: 'any' }, { ownerKeySha256: undefined }).code).toBe('owner-refused');
  });

  test.each(['crypto', 'now', 'trust', 'nonce'])('a context without %s', (member) => {
    for (const value of [undefined, null, '', {}])
      expect(
        accepted(() => judge({}, { [member]: value })),
        `${JSON.stringify(value)}`,
      ).toBe(false);
  });

  // Of an environment variable, say, or of a policy that nobody parsed.
  test('an emulated TPM, where whether it is accepted is a text', () => {
    const emulated = fixture({
      akCertificate: (f) => ({
        ...f,
        extensions: { tpmTrust: { ekSha256: context.seen?.[0]?.ekSha256 ?? '', how: 'emulated' } },
      }),
    });
    const allowing = (allowEmulatedTpm: unknown) =>
      verify(emulated.bundle, { ...policy, allowEmulatedTpm } as Policy, emulated.context).ok;
    expect(['false', 'true', 1, {}, false].filter(allowing)).toEqual([]);
    expect(allowing(true)).toBe(true);
  });

  test('sets of roots that are no list', () => {
    expect(accepted(() => judge({}, { rootSets: 'any' }))).toBe(false);
  });
});
