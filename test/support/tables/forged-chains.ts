import { concat } from '../../../formats/bytes/bytes.ts';
import type { SubjectAltName } from '../../../formats/x509/general-names.ts';
import {
  OID_EKU_COMPONENT,
  OID_EKU_ENCLAVE,
  OID_EKU_SERVER_AUTH,
  OID_EKU_USER,
} from '../../../names/oids.ts';
import type { ChainCode } from '../../../verify/verify-code.ts';
import {
  CERTIFICATE,
  changedRoot,
  extensions,
  holding,
  KEY_CERTIFICATE,
  middle,
  middleExtensions,
  nextKey,
  roomForOne,
  rootSha256,
  type Side,
  sha384,
  swapCritical,
  twice,
  unbounded,
} from '../chain-sides.ts';
import { type Changes, EK_SHA256 } from '../evidence.ts';
import { FIXTURE_NOW, fixtureRoot, rootIssuer, USAGES } from '../fixture-certificates.ts';
import { ecKey } from '../fixture-keys.ts';
import { bad, type Forgeries, type Forgery, good, lastBitFlipped, policy, replaceBytes } from '../forgery.ts';

/** What can be wrong with either chain in the same way. */
function either(side: Side): Forgeries {
  const refused = (code: ChainCode, changes: Changes): Forgery => bad(side.check, code, changes);
  const { prefix, role } = side;
  const root = rootIssuer(role);
  const forgeries: Forgeries = {
    'under-an-intermediate': good({ ...roomForOne(side), ...side.issuer(middle(side)) }),
    // A root whose key was replaced: the old one signed the new one, of the same name.
    'under-the-root-s-next-key': good({
      ...roomForOne(side),
      ...side.issuer({
        ...middle(side, { subject: root.name, extensions: nextKey }),
        name: root.name,
      }),
    }),
    'under-the-root-s-next-key-twice': refused('chain-signature', {
      ...changedRoot(side, unbounded),
      ...side.issuer(
        twice({ ...middle(side, { subject: root.name, extensions: nextKey }), name: root.name }),
      ),
    }),
    'under-a-root-that-is-shown-too': good({
      ...changedRoot(side, unbounded),
      ...side.issuer({ ...root, chain: [fixtureRoot(role, unbounded)] }),
    }),
    'under-a-root-that-is-shown-too-and-nobody-signed': refused('chain-signature', {
      ...holding(side, lastBitFlipped(fixtureRoot(role, unbounded))),
      ...side.issuer({ ...root, chain: [lastBitFlipped(fixtureRoot(role, unbounded))] }),
    }),
    'under-a-root-that-was-renewed-with-its-key': good({
      roots: (roots) => ({
        ...roots,
        [role]: [fixtureRoot(role, (f) => ({ ...f, notAfter: FIXTURE_NOW - 1 })), ...roots[role]],
      }),
    }),
    'in-its-last-second': good(side.leaf(() => ({ notAfter: FIXTURE_NOW }))),
    'in-its-first-second': good(side.leaf(() => ({ notBefore: FIXTURE_NOW }))),
    'roots-empty': refused('chain-no-roots', { roots: (roots) => ({ ...roots, [role]: [] }) }),
    'of-another-cluster': refused('chain-untrusted', side.issuer(rootIssuer(role, 'other'))),
    'under-another-intermediate': refused('chain-untrusted', {
      ...roomForOne(side),
      ...side.issuer({ ...middle(side), name: { commonName: 'somebody else' } }),
    }),
    'under-a-root-that-the-policy-leaves-out': refused(
      'chain-untrusted',
      policy({ roots: rootSha256(role === 'enclaves' ? 'attestation-keys' : 'enclaves') }),
    ),
    'signed-by-nobody': refused(
      'chain-signature',
      side.chain(([der = new Uint8Array()]) => [lastBitFlipped(der)]),
    ),
    'signed-by-another-with-the-root-s-name': refused(
      'chain-signature',
      side.issuer({ ...root, key: ecKey('attacker') }),
    ),
    'signed-by-another-with-the-intermediate-s-name': refused('chain-signature', {
      ...roomForOne(side),
      ...side.issuer({ ...middle(side), key: ecKey('attacker') }),
    }),
    'signature-not-der': refused(
      'chain-signature',
      side.issuer({ ...root, key: { ...root.key, sign: (tbs) => paddedInteger(root.key.sign(tbs)) } }),
    ),
    expired: refused(
      'chain-expired',
      side.leaf(() => ({ notAfter: FIXTURE_NOW - 1 })),
    ),
    'under-an-expired-root': refused(
      'chain-expired',
      changedRoot(side, (f) => ({ ...f, notAfter: FIXTURE_NOW - 1 })),
    ),
    'not-yet-valid': refused(
      'chain-not-yet-valid',
      side.leaf(() => ({ notBefore: FIXTURE_NOW + 1 })),
    ),
    'under-one-intermediate-too-many': refused('chain-not-a-ca', side.issuer(middle(side))),
    'under-an-end-entity': refused('chain-not-a-ca', {
      ...roomForOne(side),
      ...side.issuer(middle(side, { extensions: {} })),
    }),
    'under-an-end-entity-that-may-sign': refused('chain-not-a-ca', {
      ...roomForOne(side),
      ...side.issuer(middle(side, middleExtensions({ basicConstraints: { ca: false } }))),
    }),
    'under-a-ca-that-may-not-sign': refused('chain-not-a-ca', {
      ...roomForOne(side),
      ...side.issuer(middle(side, middleExtensions({ keyUsage: ['cRLSign'] }))),
    }),
    'under-a-ca-of-another-role': refused('chain-role', {
      ...roomForOne(side),
      ...side.issuer(middle(side, middleExtensions({ extendedKeyUsage: USAGES.users }))),
    }),
    'is-a-ca': refused('chain-usage', extensions(side, { basicConstraints: { ca: true } })),
    'that-may-sign-certificates': refused(
      'chain-usage',
      extensions(side, { keyUsage: ['digitalSignature', 'keyCertSign'] }),
    ),
    'that-may-not-sign': refused('chain-usage', extensions(side, { keyUsage: ['keyAgreement'] })),
    'of-a-component': refused(
      'chain-role',
      extensions(side, { extendedKeyUsage: [OID_EKU_COMPONENT, OID_EKU_SERVER_AUTH] }),
    ),
    'of-two-roles': refused(
      'chain-role',
      extensions(side, { extendedKeyUsage: [...USAGES.enclaves, ...USAGES['attestation-keys']] }),
    ),
    'without-extended-key-usage': refused('chain-role', extensions(side, { extendedKeyUsage: undefined })),
    'with-an-unknown-critical-extension': refused('chain-critical-extension', {
      ...extensions(side, {
        nameConstraints: {
          permitted: { dns: ['example'], uri: [], others: 0 },
          excluded: { dns: [], uri: [], others: 0 },
        },
      }),
      ...side.issuer({ ...root, rewrite: swapCritical }),
    }),
    'under-constraints-of-an-unknown-kind': refused(
      'chain-name-constraints',
      holding(
        side,
        fixtureRoot(
          role,
          (f) => ({
            ...f,
            extensions: {
              ...f.extensions,
              nameConstraints: {
                permitted: { dns: ['example'], uri: [], others: 0 },
                excluded: { dns: [], uri: [], others: 0 },
              },
            },
          }),
          // dNSName [2] made rfc822Name [1].
          { ...root, rewrite: (der) => replaceBytes(der, '82076578616d706c65', '81076578616d706c65') },
        ),
      ),
    ),
    'that-names-two-algorithms': refused(
      'chain-malformed',
      // Only the AlgorithmIdentifier beside what is signed is that short.
      side.issuer({ ...root, rewrite: (der) => (der.length < 20 ? sha384(der) : der) }),
    ),
    'with-a-byte-behind-it': refused(
      'chain-malformed',
      side.chain(([der = new Uint8Array()]) => [concat(der, Uint8Array.of(0))]),
    ),
    'with-a-length-not-der': refused(
      'chain-malformed',
      side.chain(([der = new Uint8Array()]) => [concat(Uint8Array.of(0x30, 0x83, 0), der.slice(2))]),
    ),
    'cut-off': refused(
      'chain-malformed',
      side.chain(([der = new Uint8Array()]) => [der.slice(0, -1)]),
    ),
  };
  return Object.fromEntries(
    Object.entries(forgeries).map(([name, forgery]) => [
      `${forgery.code === undefined ? 'good-' : ''}${prefix}-${name}`,
      forgery,
    ]),
  );
}

/** An Ecdsa-Sig-Value whose first INTEGER has a zero byte too many: the same numbers, but not DER. */
function paddedInteger(der: Uint8Array): Uint8Array {
  const [, length = 0, , first = 0] = der;
  return concat(Uint8Array.of(0x30, length + 1, 0x02, first + 1, 0), der.slice(4));
}

const DOMAIN = 'enclaves.enclave-licensing.internal';
const NAME = `eabcdefghijklmno.${DOMAIN}`;
const SPIFFE_ID = 'spiffe://enclave-licensing.internal/ns/team/sa/default';
/** Enclave certificates of these names; the bundle asks for no server name, which would be another check's. */
const named = (names: Readonly<Record<string, SubjectAltName>>) => (code: ChainCode) =>
  Object.fromEntries(
    Object.entries(names).map(([name, subjectAltName]) => [
      name,
      bad('certificate-chain', code, {
        ...extensions(CERTIFICATE, { subjectAltName }),
        bundle: (b) => ({ ...b, serverName: '' }),
      }),
    ]),
  );

/** The chains of enclave and attestation key: roots, dates, usages, names, bindings. */
export const FORGED_CHAINS: Forgeries = {
  ...either(CERTIFICATE),
  ...either(KEY_CERTIFICATE),

  'good-roots-that-the-policy-lists': good(
    policy({ roots: [...rootSha256('enclaves'), ...rootSha256('attestation-keys')] }),
  ),
  'certificate-of-a-user': bad(
    'certificate-chain',
    'chain-role',
    extensions(CERTIFICATE, { extendedKeyUsage: [OID_EKU_USER, OID_EKU_SERVER_AUTH] }),
  ),
  'certificate-without-server-usage': bad(
    'certificate-chain',
    'chain-usage',
    extensions(CERTIFICATE, { extendedKeyUsage: [OID_EKU_ENCLAVE] }),
  ),
  'certificate-without-binding': bad(
    'certificate-chain',
    'chain-binding',
    extensions(CERTIFICATE, { enclaveBinding: undefined }),
  ),
  'certificate-with-the-binding-of-a-key': bad(
    'certificate-chain',
    'chain-binding',
    extensions(CERTIFICATE, { tpmTrust: { ekSha256: EK_SHA256, how: 'vendor-root' } }),
  ),
  ...named({
    'certificate-with-two-names': { dns: [NAME, `second.${DOMAIN}`], uri: [SPIFFE_ID] },
    'certificate-with-an-address': { dns: [NAME], uri: [SPIFFE_ID], ip: [Uint8Array.of(127, 0, 0, 1)] },
    'certificate-without-spiffe-id': { dns: [NAME], uri: [] },
    'certificate-with-another-uri': { dns: [NAME], uri: [SPIFFE_ID.replace('spiffe:', 'https:')] },
  })('chain-binding'),
  ...named({
    'certificate-of-a-foreign-domain': { dns: ['victim.example.com'], uri: [SPIFFE_ID] },
    'certificate-of-a-domain-that-ends-alike': { dns: [`evil-${DOMAIN}`], uri: [SPIFFE_ID] },
    'certificate-of-a-foreign-trust-domain': {
      dns: [NAME],
      uri: ['spiffe://elsewhere.example/ns/team/sa/default'],
    },
  })('chain-name-constraints'),
  'certificate-of-an-excluded-domain': bad(
    'certificate-chain',
    'chain-name-constraints',
    changedRoot(CERTIFICATE, (f) => ({
      ...f,
      extensions: {
        ...f.extensions,
        nameConstraints: {
          permitted: { dns: [], uri: [], others: 0 },
          excluded: { dns: [DOMAIN], uri: [], others: 0 },
        },
      },
    })),
  ),
  'server-name-of-another': bad('certificate-chain', 'chain-name', {
    bundle: (b) => ({ ...b, serverName: 'eother.enclaves.enclave-licensing.internal' }),
  }),

  'key-certificate-without-tpm-trust': bad(
    'attestation-key-chain',
    'chain-binding',
    extensions(KEY_CERTIFICATE, { tpmTrust: undefined }),
  ),
  'key-certificate-with-a-name': bad(
    'attestation-key-chain',
    'chain-binding',
    extensions(KEY_CERTIFICATE, { subjectAltName: { dns: [NAME], uri: [] } }),
  ),
  'key-certificate-without-node': bad(
    'attestation-key-chain',
    'chain-binding',
    KEY_CERTIFICATE.leaf(() => ({ subject: {} })),
  ),
  'key-certificate-of-another-key': bad(
    'attestation-key-chain',
    'attestation-key-certificate',
    KEY_CERTIFICATE.leaf(() => ({ spki: ecKey('another attestation key').spki })),
  ),
  'software-key-with-plausible-attributes': bad('attestation-key-chain', 'attestation-key-certificate', {
    ak: ecKey('software key'),
    akCertificate: (f) => ({ ...f, spki: ecKey('ak').spki }),
  }),
  'software-key-certified-by-its-maker': bad('attestation-key-chain', 'chain-signature', {
    ak: ecKey('software key'),
    akIssuer: { ...rootIssuer('attestation-keys'), key: ecKey('attacker') },
  }),
};
