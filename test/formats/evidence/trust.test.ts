import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concat, toHex, toUtf8 } from '../../../formats/bytes/bytes.ts';
import {
  encodeGrant,
  type Grant,
  grantMessage,
  openGrant,
  parseGrant,
} from '../../../formats/evidence/grant.ts';
import { parseRoots, rootsSha256, rootsToJson } from '../../../formats/evidence/roots.ts';
import {
  acceptTrustDocument,
  encodeTrustDocument,
  type HeldTrust,
  parseTrustDocument,
  signTrustDocument,
  type TrustDocument,
  trustDocumentMessage,
} from '../../../formats/evidence/trust-document.ts';
import { nodeCrypto } from '../../../platform/crypto/node-crypto.ts';
import { FIXTURE_NOW, fixtureRoots, issuerKey } from '../../support/fixture-certificates.ts';
import { ecKey } from '../../support/fixture-keys.ts';

const sha256Hex = (bytes: Uint8Array) => toHex(nodeCrypto.hash('sha256', bytes));
const roots = fixtureRoots();
const text = rootsToJson(roots);
const signer = issuerKey('system');

const document: TrustDocument = {
  v: 'enclave-trust/1',
  version: 3,
  issuedAt: FIXTURE_NOW,
  roots,
  rootSets: [rootsSha256(nodeCrypto, text)],
  revoked: {
    certificates: [{ podUid: 'u', until: FIXTURE_NOW }],
    users: [{ user: 'ada' }],
    grants: [
      { ownerKeySha256: 'ab'.repeat(32), keySha256: 'cd'.repeat(32), enclave: 'e', until: FIXTURE_NOW },
    ],
  },
  pcrSelection: { hash: 'sha256', pcrs: [0, 1, 7] },
  tokenKeys: {
    keys: [
      { kty: 'EC', crv: 'P-256', x: 'A'.repeat(43), y: 'A'.repeat(43), kid: 'k', alg: 'ES256', use: 'sig' },
    ],
  },
  epoch: { current: new Uint8Array(32).fill(1), previous: new Uint8Array(32), at: FIXTURE_NOW },
};
const signed = (key = signer, content = document) =>
  signTrustDocument(nodeCrypto, content, key.spki, key.sign);
const accept = (each: ReturnType<typeof signed>, version = 2) => {
  const result = acceptTrustDocument(nodeCrypto, each, { roots, version });
  return result.ok ? result.value : result.code;
};

describe('roots', () => {
  test('have one text, which names them', () => {
    expect(parseRoots(text)).toEqual({ ok: true, value: roots });
    expect(rootsSha256(nodeCrypto, text)).toBe(sha256Hex(toUtf8(text)));
  });

  test('a missing or empty issuer, a stranger or a certificate that is no root refuses', () => {
    const { system, ...rest } = JSON.parse(text);
    for (const bad of [
      rest,
      { system: [], ...rest },
      { system, ...rest, more: [] },
      { system: ['AAAA'], ...rest },
    ])
      expect(parseRoots(JSON.stringify(bad)).ok).toBe(false);
  });
});

describe('trust document', () => {
  test('goes there and back, and is accepted from a root that is held', () => {
    expect(parseTrustDocument(encodeTrustDocument(document))).toEqual({ ok: true, value: document });
    expect(accept(signed())).toEqual(document);
  });

  test('is refused from anybody else, changed, or when it is not newer', () => {
    expect(accept(signed(issuerKey('users')))).toBe('evidence-untrusted');
    expect(accept(signed(issuerKey('system', 'other')))).toBe('evidence-untrusted');
    const good = signed();
    const changed = good.document.map((byte, i) => (i === 60 ? byte ^ 1 : byte));
    expect(accept({ ...good, document: changed })).toBe('evidence-untrusted');
    expect(accept({ ...good, signature: signer.sign(good.document) })).toBe('evidence-untrusted');
    expect(accept(good, 3)).toBe('evidence-rollback');
    // Nobody who does not say what is held is taken for one who holds nothing.
    expect(accept(good, Number.NaN)).toBe('evidence-rollback');
    expect(acceptTrustDocument(nodeCrypto, good, { roots } as HeldTrust).ok).toBe(false);
    expect(accept({ ...good, document: new Uint8Array(500_000) })).toBe('evidence-too-large');
  });

  test('mutations of the text never throw', () => {
    const bytes = encodeTrustDocument(document);
    fc.assert(
      fc.property(
        fc.nat(bytes.length - 1),
        fc.uint8Array({ maxLength: 2 }),
        fc.nat(2),
        (at, insert, remove) => {
          const mutated = Uint8Array.from([...bytes.slice(0, at), ...insert, ...bytes.slice(at + remove)]);
          expect(typeof parseTrustDocument(mutated).ok).toBe('boolean');
        },
      ),
      { numRuns: 150 },
    );
  });

  test('PCRs ascend, stay below 16, and the epoch has 32 bytes', () => {
    for (const pcrs of [[], [1, 0], [0, 0], [16]])
      expect(() => encodeTrustDocument({ ...document, pcrSelection: { hash: 'sha256', pcrs } })).toThrow(
        RangeError,
      );
    const short = { ...document.epoch, current: new Uint8Array(31) };
    expect(() => encodeTrustDocument({ ...document, epoch: short })).toThrow(RangeError);
  });

  test('its signature is over the bytes that docs/evidence-format.md gives', () => {
    const bytes = encodeTrustDocument(document);
    const length = Uint8Array.of(0, 0, bytes.length >> 8, bytes.length & 0xff);
    expect(trustDocumentMessage(bytes)).toEqual(concat(toUtf8('enclave-trust/1'), length, bytes));
  });
});

describe('grants', () => {
  const owner = ecKey('owner');
  const grant: Grant = {
    v: 'enclave-grant/1',
    enclave: 'e1',
    ownerKey: owner.spki,
    keySha256: sha256Hex(ecKey('guest').spki),
    user: 'guest',
    notAfter: FIXTURE_NOW,
  };
  const json = encodeGrant(grant);
  const ownerSha256 = sha256Hex(owner.spki);
  const open = (...args: [Uint8Array, Uint8Array, string]) => {
    const result = openGrant(nodeCrypto, ...args);
    return result.ok ? result.value : result.code;
  };

  test('go there and back, and open with the owner’s signature only', () => {
    expect(parseGrant(json)).toEqual({ ok: true, value: grant });
    expect(open(json, owner.sign(grantMessage(json)), ownerSha256)).toEqual(grant);
    expect(open(json, ecKey('other').sign(grantMessage(json)), ownerSha256)).toBe('evidence-untrusted');
    expect(open(json, owner.sign(grantMessage(json)), sha256Hex(ecKey('other').spki))).toBe(
      'evidence-untrusted',
    );
  });

  test('a revocation is no grant, nor is its signature one', () => {
    const revocation = encodeGrant({ ...grant, v: 'enclave-grant-revoke/1' });
    expect(parseGrant(revocation).ok).toBe(false);
    expect(parseGrant(revocation, 'enclave-grant-revoke/1').ok).toBe(true);
    expect(open(json, owner.sign(grantMessage(json, 'enclave-grant-revoke/1')), ownerSha256)).toBe(
      'evidence-untrusted',
    );
  });
});
