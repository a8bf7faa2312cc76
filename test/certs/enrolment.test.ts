import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { readEndorsementList, readEndorsementRoots } from '../../certs/enrolment/endorsement-files.ts';
import { type EndorsementContext, trustEndorsementKey } from '../../certs/enrolment/endorsement-trust.ts';
import { readAttestationKey, readEndorsementKey } from '../../certs/enrolment/tpm-keys.ts';
import { encodePublic, type Public } from '../../formats/tpm/public.ts';
import { AK_ECDSA_P256, EK_ECC_P256 } from '../../formats/tpm/templates.ts';
import {
  buildCertificate,
  type CertificateFields,
  parseCertificate,
} from '../../formats/x509/certificate.ts';
import { encodePem } from '../../formats/x509/pem.ts';
import { OID_EKU_TCG_EK } from '../../names/oids.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import { generateKey, type KeyPair } from '../../platform/identity/key-pair.ts';
import { ecKey } from '../support/fixture-keys.ts';
import { KINDS, keyKind } from '../support/tables/key-kinds.ts';
import { codeOf, NOW, removeFolders, serial, sha256Hex, temporaryFolder } from './support.ts';

afterAll(removeFolders);

const [vendor, intermediate, ek, stranger] = [generateKey(), generateKey(), generateKey(), generateKey()];

function certificate(
  subject: [string, KeyPair],
  issuer: [string, KeyPair],
  change: Partial<CertificateFields> = {},
): Uint8Array {
  const fields: CertificateFields = {
    serial: serial(),
    issuer: { commonName: issuer[0] },
    subject: { commonName: subject[0] },
    notBefore: NOW - 100,
    notAfter: NOW + 100,
    spki: subject[1].spki,
    extensions: { basicConstraints: { ca: true }, keyUsage: ['keyCertSign'] },
    ...change,
  };
  return buildCertificate(fields, issuer[1].sign, issuer[1].scheme);
}

const LEAF: Partial<CertificateFields> = {
  extensions: { keyUsage: ['keyEncipherment'], extendedKeyUsage: [OID_EKU_TCG_EK] },
};
const root = certificate(['vendor', vendor], ['vendor', vendor]);
const sub = certificate(['sub', intermediate], ['vendor', vendor]);
const leaf = certificate(['tpm', ek], ['sub', intermediate], LEAF);
const direct = certificate(['tpm', ek], ['vendor', vendor], LEAF);

const anchors = (...ders: Uint8Array[]) =>
  ders.map((der) => {
    const parsed = parseCertificate(der);
    if (!parsed.ok) throw new Error(parsed.message);
    return parsed.value;
  });
const EK_SHA256 = sha256Hex(ek.spki);

function trust(chain: readonly Uint8Array[], context: Partial<EndorsementContext> = {}) {
  const base = {
    crypto: nodeCrypto,
    now: NOW,
    list: new Map(),
    roots: { vendor: anchors(root), emulated: [] },
  };
  return trustEndorsementKey(ek.spki, chain, { ...base, ...context });
}
const how = (result: ReturnType<typeof trust>) => (result.ok ? result.value.how : result.code);

describe('how an endorsement key is trusted', () => {
  test("by its vendor's root, through the intermediates that the TPM holds", () => {
    expect(trust([leaf, sub])).toEqual({ ok: true, value: { ekSha256: EK_SHA256, how: 'vendor-root' } });
    expect(how(trust([direct]))).toBe('vendor-root');
    expect(how(trust([leaf, root, sub]))).toBe('vendor-root');
    // An operator may name an intermediate itself.
    expect(how(trust([leaf], { roots: { vendor: anchors(sub), emulated: [] } }))).toBe('vendor-root');
  });

  test('an authority of emulated TPMs never makes a vendor’s, in both sets neither', () => {
    expect(how(trust([leaf, sub], { roots: { vendor: [], emulated: anchors(root) } }))).toBe('emulated');
    expect(how(trust([leaf, sub], { roots: { vendor: anchors(root), emulated: anchors(root) } }))).toBe(
      'emulated',
    );
  });

  test('by the operator’s list, which says what it counts as', () => {
    const list = new Map([[EK_SHA256, 'listed' as const]]);
    expect(how(trust([], { list }))).toBe('listed');
    expect(how(trust([leaf], { list }))).toBe('listed');
    expect(how(trust([new Uint8Array([1, 2])], { list }))).toBe('listed');
    expect(how(trust([], { list: new Map([[EK_SHA256, 'emulated' as const]]) }))).toBe('emulated');
    // A vendor's root says more.
    expect(how(trust([leaf, sub], { list }))).toBe('vendor-root');
  });

  test('a path as long as its authorities allow, whatever else is sent', () => {
    const [lower, other] = [generateKey(), generateKey()];
    const ca = (pathLength: number) => ({
      extensions: { basicConstraints: { ca: true, pathLength }, keyUsage: ['keyCertSign'] as const },
    });
    const chain = (allowed: number) => [
      certificate(['tpm', ek], ['lower', lower], LEAF),
      certificate(['other', other], ['other', other]),
      certificate(['lower', lower], ['sub', intermediate], ca(0)),
      // Both sign each other: neither is looked at twice.
      certificate(['sub', intermediate], ['lower', lower], ca(5)),
      certificate(['sub', intermediate], ['vendor', vendor], ca(allowed)),
    ];
    expect(how(trust(chain(1)))).toBe('vendor-root');
    expect(how(trust(chain(0)))).toBe('ek-untrusted');
  });

  test('neither: refused', () => {
    const expired = certificate(['tpm', ek], ['vendor', vendor], { ...LEAF, notAfter: NOW - 1 });
    const oldSub = certificate(['sub', intermediate], ['vendor', vendor], { notAfter: NOW - 1 });
    const noCa = certificate(['sub', intermediate], ['vendor', vendor], {
      extensions: { keyUsage: ['keyCertSign'] },
    });
    const mayNotSign = certificate(['sub', intermediate], ['vendor', vendor], {
      extensions: { basicConstraints: { ca: true }, keyUsage: ['digitalSignature'] },
    });
    const forged = certificate(['tpm', ek], ['vendor', stranger], LEAF);
    const forAnything = certificate(['tpm', ek], ['vendor', vendor], {
      extensions: { extendedKeyUsage: ['1.3.6.1.5.5.7.3.1'] },
    });
    const authority = certificate(['tpm', ek], ['vendor', vendor]);
    for (const chain of [
      [],
      [leaf],
      [leaf, root],
      [expired],
      [leaf, oldSub],
      [leaf, noCa],
      [leaf, mayNotSign],
      [forged],
      [forAnything],
      [authority],
      [new Uint8Array([0x30, 0])],
      [leaf, sub, root, sub, sub, sub, sub, sub, sub],
    ])
      expect(how(trust(chain)), `chain of ${chain.length}`).toBe('ek-untrusted');
    expect(how(trust([leaf, sub], { roots: { vendor: [], emulated: [] } }))).toBe('ek-untrusted');
    expect(how(trust([leaf, sub], { now: NOW + 1000 }))).toBe('ek-untrusted');
  });

  test('a certificate for another key: refused, on the list or not', () => {
    const other = certificate(['tpm', stranger], ['vendor', vendor], LEAF);
    expect(how(trust([other]))).toBe('ek-certificate');
    expect(how(trust([other], { list: new Map([[EK_SHA256, 'listed' as const]]) }))).toBe('ek-certificate');
  });
});

describe('the operator’s files', () => {
  test('roots: PEM and DER; what lies in emulated/ counts as that', () => {
    const folder = temporaryFolder();
    expect(readEndorsementRoots(join(folder, 'none'))).toEqual({ vendor: [], emulated: [] });
    mkdirSync(join(folder, 'emulated'));
    const words = `Subject: vendor\n${encodePem('CERTIFICATE', root)}\nand\n${encodePem('CERTIFICATE', sub)}`;
    writeFileSync(join(folder, 'vendor.pem'), words);
    writeFileSync(join(folder, 'emulated', 'swtpm.der'), direct);
    writeFileSync(join(folder, 'README.txt'), 'not a certificate');
    const roots = readEndorsementRoots(folder);
    expect(roots.vendor.map(({ der }) => der)).toEqual([root, sub]);
    expect(roots.emulated.map(({ der }) => new Uint8Array(der))).toEqual([direct]);
    writeFileSync(join(folder, 'bad.pem'), '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n');
    expect(() => readEndorsementRoots(folder)).toThrow('bad.pem');
  });

  test('list: emulated unless the operator vouches', () => {
    const path = join(temporaryFolder(), 'list.yaml');
    const read = (text: string) => {
      writeFileSync(path, text);
      return readEndorsementList(path);
    };
    const other = 'cd'.repeat(32);
    expect(read(`- ekSha256: ${EK_SHA256}\n  trust: listed\n- ekSha256: ${other}\n`)).toEqual(
      new Map([
        [EK_SHA256, 'listed'],
        [other, 'emulated'],
      ]),
    );
    expect(read('')).toEqual(new Map());
    for (const [text, what] of [
      ['- ekSha256: AB\n', 'hex'],
      [`- ekSha256: ${other}\n  trust: vendor-root\n`, 'trust must be'],
      [`- ekSha256: ${other}\n  note: x\n`, 'unknown note'],
      [`- ekSha256: ${other}\n- ekSha256: ${other}\n`, 'twice'],
      ['a: b\n', 'a list'],
    ] as const)
      expect(() => read(text), text).toThrow(what);
  });
});

describe('keys of a TPM', () => {
  const jwk = generateKey().privateKey.export({ format: 'jwk' });
  const unique = {
    kind: 'ecc',
    x: new Uint8Array(Buffer.from(jwk.x ?? '', 'base64url')),
    y: new Uint8Array(Buffer.from(jwk.y ?? '', 'base64url')),
  } as const;
  const ak: Public = { ...AK_ECDSA_P256, unique };
  const ekPublic: Public = { ...EK_ECC_P256, unique };
  const akWith = (change: Partial<Public>) => codeOf(readAttestationKey(encodePublic({ ...ak, ...change })));

  test('templates pass', () => {
    expect(akWith({})).toBe('ok');
    expect(codeOf(readEndorsementKey(encodePublic(ekPublic)))).toBe('ok');
  });

  test('attestation keys of every kind pass; weaker ones and other curves do not', () => {
    for (const kind of KINDS) {
      const { parameters, unique: itsOwn } = kind.key('ak');
      expect(akWith({ parameters, unique: itsOwn }), kind.name).toBe('ok');
    }
    const rsa = keyKind('rsa-2048-rsassa-sha256').key('ak');
    if (rsa.parameters.kind !== 'rsa') throw new Error('RSA');
    for (const keyBits of [1024, 2040]) {
      const modulus = new Uint8Array(keyBits / 8).fill(0xff);
      const parameters = { ...rsa.parameters, keyBits };
      expect(akWith({ parameters, unique: { kind: 'rsa', modulus } }), `${keyBits}`).toBe('ak-attributes');
    }
    const { parameters, unique: point } = ecKey('ak', 'p521');
    expect(akWith({ parameters, unique: point })).toBe('ak-attributes');
  });

  test('an attestation key with any bit flipped is refused', () => {
    for (const bit of Object.keys(ak.attributes) as (keyof typeof ak.attributes)[])
      expect(akWith({ attributes: { ...ak.attributes, [bit]: !ak.attributes[bit] } }), bit).toBe(
        'ak-attributes',
      );
  });

  test('an attestation key of another scheme is refused', () => {
    const { parameters } = ak;
    if (parameters.kind !== 'ecc') throw new Error('ECC');
    expect(akWith({ parameters: { ...parameters, scheme: { kind: 'null' } } })).toBe('ak-attributes');
    expect(akWith({ parameters: { ...parameters, scheme: { kind: 'ecdsa', hash: 'sha1' } } })).toBe(
      'ak-attributes',
    );
    expect(akWith({ nameAlg: 'sha1' })).toBe('ak-attributes');
    expect(codeOf(readAttestationKey(encodePublic(ekPublic)))).toBe('ak-attributes');
    expect(codeOf(readAttestationKey(new Uint8Array([1, 2, 3])))).toBe('ak-malformed');
    expect(codeOf(readAttestationKey(new Uint8Array([...encodePublic(ak), 0])))).toBe('ak-malformed');
  });

  test('an endorsement key that signs, or may leave its TPM, is refused', () => {
    for (const bit of [
      'fixedTPM',
      'fixedParent',
      'sensitiveDataOrigin',
      'restricted',
      'decrypt',
      'sign',
    ] as const) {
      const attributes = { ...ekPublic.attributes, [bit]: !ekPublic.attributes[bit] };
      expect(codeOf(readEndorsementKey(encodePublic({ ...ekPublic, attributes }))), bit).toBe(
        'ek-attributes',
      );
    }
    expect(codeOf(readEndorsementKey(new Uint8Array(0)))).toBe('ek-malformed');
  });
});
