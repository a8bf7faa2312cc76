import { expect, test } from 'vitest';
import { attest, type Expectation } from '../../client/library/evidence/attest.ts';
import { fixture } from '../support/evidence.ts';

const { bundle, policy, context } = fixture();
const { trust: roots, pcrSelection, nonce, now } = context;
const EXPECTED: Expectation = {
  policy,
  trust: {
    roots,
    rootSets: context.rootSets ?? [],
    rootsTexts: [],
    version: 0,
    ...(pcrSelection && { pcrSelection }),
  },
  nonce,
  now,
  ownerKeySha256: context.ownerKeySha256 ?? '',
};

/** As a caller without our types hands them over: Node gives no certificate on a resumed session. */
test.each([
  ['liveCertificate', 'live-certificate-differs'],
  ['ownerKeySha256', 'owner-refused'],
] as const)('%s that is there without a value is refused', (member, code) => {
  const verdict = attest(bundle, { ...EXPECTED, [member]: undefined } as Expectation);
  expect(verdict).toMatchObject({ ok: false, code });
});
