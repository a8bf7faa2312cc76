import { toBase64url } from '../../../formats/bytes/base64.ts';
import { concat, fromUtf8, toHex, toUtf8 } from '../../../formats/bytes/bytes.ts';
import { encodeGrant, grantMessage } from '../../../formats/evidence/grant.ts';
import type { Statement } from '../../../formats/evidence/statement.ts';
import type { Attest } from '../../../formats/tpm/attest.ts';
import type { AK_ATTRIBUTES } from '../../../formats/tpm/templates.ts';
import { encodePem } from '../../../formats/x509/pem.ts';
import { OID_EKU_ENCLAVE, OID_EKU_SERVER_AUTH, OID_EKU_USER } from '../../../names/oids.ts';
import type { Issuer } from '../../../names/signers.ts';
import { nodeCrypto } from '../../../platform/crypto/node-crypto.ts';
import type { CheckName } from '../../../verify/check-names.ts';
import type { VerifyContext } from '../../../verify/context.ts';
import type { Policy } from '../../../verify/policy/policy.ts';
import type { TpmSeen } from '../../../verify/verdict.ts';
import type { VerifyCode } from '../../../verify/verify-code.ts';
import { type Changes, EK_SHA256, ENCLAVE_KEY, OWNER_KEY } from '../evidence.ts';
import {
  FIXTURE_NOW,
  fixtureCertificate,
  fixtureRoots,
  type LeafFields,
  rootIssuer,
} from '../fixture-certificates.ts';
import { ecKey } from '../fixture-keys.ts';

/** An input whose only failed check is this one, or (without code) one that must still pass. */
export interface Forgery {
  readonly check?: CheckName;
  readonly code?: VerifyCode;
  readonly changes: Changes;
}

const sha256 = (bytes: Uint8Array) => nodeCrypto.hash('sha256', bytes);
const sha256Hex = (text: string) => toHex(sha256(toUtf8(text)));
const GUEST_SHA256 = toHex(sha256(ecKey('guest').spki));

const statement = (change: (s: Statement) => object): Changes => ({
  statement: (s) => ({ ...s, ...change(s) }) as Statement,
});
const pod = (part: Partial<Statement['pod']>): Changes => statement((s) => ({ pod: { ...s.pod, ...part } }));
const access = (part: Partial<Statement['access']>): Changes =>
  statement((s) => ({ access: { ...s.access, ...part } }));
const attest = (part: Partial<Attest>): Changes => ({ attest: (a) => ({ ...a, ...part }) });
const clock = (part: Partial<Attest['clockInfo']>): Changes => ({
  attest: (a) => ({ ...a, clockInfo: { ...a.clockInfo, ...part } }),
});
const certificate = (part: (f: LeafFields) => Partial<LeafFields>): Changes => ({
  certificate: (f) => ({ ...f, ...part(f) }),
});
const extensions = (part: LeafFields['extensions']): Changes =>
  certificate((f) => ({ extensions: { ...f.extensions, ...part } }));
const context = (part: Partial<VerifyContext>): Changes => ({ context: (c) => ({ ...c, ...part }) });
const seen = (...changes: Partial<TpmSeen>[]): Changes =>
  context({
    seen: changes.map((change) => ({
      ...{ node: 'node-1', ekSha256: EK_SHA256, akName: '', resetCount: 7, restartCount: 1, clock: 0 },
      ...change,
    })),
  });
const policy = (part: Partial<Policy>): Changes => ({ policy: (p) => ({ ...p, ...part }) });
const attribute = (part: Partial<typeof AK_ATTRIBUTES>): Changes => ({
  akPublic: (p) => ({ ...p, attributes: { ...p.attributes, ...part } }),
});
const bad = (check: CheckName, code: VerifyCode, changes: Changes): Forgery => ({ check, code, changes });

/** A grant by the owner for the guest's key, and the guest as verifier. */
function granted(change: { enclave?: string; notAfter?: number; signer?: string } = {}): Changes {
  const grant = encodeGrant({
    v: 'enclave-grant/1',
    enclave: change.enclave ?? 'eabcdefghijklmno',
    ownerKey: OWNER_KEY.spki,
    keySha256: GUEST_SHA256,
    user: 'guest',
    notAfter: change.notAfter ?? FIXTURE_NOW + 60,
  });
  const signature = ecKey(change.signer ?? 'owner').sign(grantMessage(grant));
  return context({ ownerKeySha256: GUEST_SHA256, grant: { grant, signature } });
}

const rootSha256 = (issuer: Issuer) => fixtureRoots()[issuer].map((der) => toHex(sha256(der)));

const PCRS = [0, 1, 2, 3, 4, 5, 6, 7];
const PCR_SET = (digestOf: (pcr: number) => Uint8Array): Partial<Policy> => ({
  pcrs: {
    hash: 'sha256',
    sets: [{ name: 'firmware 1', values: new Map(PCRS.map((pcr) => [pcr, [toHex(digestOf(pcr))]])) }],
  },
});

/** By name: the published vectors (tools/make-vectors.ts) and the unit tests of verify run the same list. */
export const FORGERIES: Readonly<Record<string, Forgery>> = {
  good: { changes: {} },
  'good-batch-of-one': { changes: { neighbours: 0, index: 0 } },
  'good-batch-of-a-hundred': { changes: { neighbours: 99, index: 99 } },
  'good-p384': { changes: { ak: ecKey('ak', 'p384', 'sha384') } },
  'good-pcr-values': { changes: policy(PCR_SET((pcr) => sha256(Uint8Array.of(pcr)))) },
  'good-roots-listed': {
    changes: policy({ roots: [...rootSha256('enclaves'), ...rootSha256('attestation-keys')] }),
  },
  'good-grant': { changes: granted() },
  'good-unsafe-clock-after-reset': {
    changes: clock({ safe: false, resetCount: 8, restartCount: 0, clock: 1n }),
  },
  'good-emulated-and-allowed': {
    changes: {
      ...policy({ allowEmulatedTpm: true }),
      akCertificate: (f) => ({ ...f, extensions: { tpmTrust: { ekSha256: EK_SHA256, how: 'emulated' } } }),
    },
  },

  'blinder-short': bad('bundle-shape', 'bundle-malformed', {
    bundle: (b) => ({ ...b, blinder: b.blinder.slice(1) }),
  }),
  'certificate-missing': bad('bundle-shape', 'bundle-malformed', {
    bundle: (b) => ({ ...b, certificateChain: [] }),
  }),
  'root-of-the-certificate-not-in-the-policy': bad(
    'certificate-chain',
    'chain-untrusted',
    policy({ roots: rootSha256('attestation-keys') }),
  ),
  'certificate-of-another-cluster': bad('certificate-chain', 'chain-untrusted', {
    bundle: (b) => ({
      ...b,
      certificateChain: [
        fixtureCertificate('enclaves', { spki: ENCLAVE_KEY.spki }, rootIssuer('enclaves', 'other')),
      ],
    }),
    ...context({ liveCertificate: undefined }),
  }),
  'certificate-signed-by-nobody': bad('certificate-chain', 'chain-signature', {
    bundle: (b) => ({
      ...b,
      certificateChain: b.certificateChain.map((der) =>
        der.map((byte, i) => (i === der.length - 1 ? byte ^ 1 : byte)),
      ),
    }),
  }),
  'certificate-expired': bad(
    'certificate-chain',
    'chain-expired',
    certificate(() => ({ notAfter: FIXTURE_NOW - 1 })),
  ),
  'certificate-not-yet-valid': bad(
    'certificate-chain',
    'chain-not-yet-valid',
    certificate(() => ({ notBefore: FIXTURE_NOW + 1 })),
  ),
  'certificate-of-a-user': bad(
    'certificate-chain',
    'chain-role',
    extensions({ extendedKeyUsage: [OID_EKU_USER, OID_EKU_SERVER_AUTH] }),
  ),
  'certificate-without-server-usage': bad(
    'certificate-chain',
    'chain-usage',
    extensions({ extendedKeyUsage: [OID_EKU_ENCLAVE] }),
  ),
  'certificate-is-a-ca': bad(
    'certificate-chain',
    'chain-usage',
    extensions({ basicConstraints: { ca: true } }),
  ),
  'certificate-without-binding': bad(
    'certificate-chain',
    'chain-binding',
    extensions({ enclaveBinding: undefined }),
  ),
  'certificate-of-a-foreign-domain': bad('certificate-chain', 'chain-name-constraints', {
    ...extensions({
      subjectAltName: {
        dns: ['victim.example.com'],
        uri: ['spiffe://enclave-licensing.internal/ns/team/sa/default'],
      },
    }),
    bundle: (b) => ({ ...b, serverName: 'victim.example.com' }),
  }),
  'server-name-of-another': bad('certificate-chain', 'chain-name', {
    bundle: (b) => ({ ...b, serverName: 'eother.enclaves.enclave-licensing.internal' }),
  }),
  'certificate-swapped-after-verification': bad(
    'live-certificate',
    'live-certificate-differs',
    context({ liveCertificate: fixtureCertificate('enclaves', { spki: ecKey('attacker').spki }) }),
  ),
  // Node shows an empty certificate, or none, on a resumed session: a client that passes that on is refused.
  'tls-session-resumed': bad(
    'live-certificate',
    'live-certificate-differs',
    context({ liveCertificate: new Uint8Array(0) }),
  ),

  'path-too-short': bad('batch-proof', 'batch-proof', { bundle: (b) => ({ ...b, path: b.path.slice(1) }) }),
  'path-too-long': bad('batch-proof', 'batch-proof', {
    bundle: (b) => ({ ...b, path: [...b.path, b.blinder] }),
  }),
  'index-beyond-count': bad('batch-proof', 'batch-proof', { bundle: (b) => ({ ...b, leafIndex: 3 }) }),
  'count-of-another-batch': bad('qualifying-data', 'qualifying-data-differs', {
    bundle: (b) => ({ ...b, leafCount: 4 }),
  }),
  'leaf-used-as-node': bad('qualifying-data', 'qualifying-data-differs', {
    neighbours: 1,
    index: 0,
    bundle: (b) => ({ ...b, leafCount: 1, path: [] }),
  }),
  'extra-data-prefix': bad('qualifying-data', 'qualifying-data-differs', {
    qualifyingData: (q) => q.slice(0, 31),
  }),
  'extra-data-padded': bad('qualifying-data', 'qualifying-data-differs', {
    qualifyingData: (q) => concat(q, Uint8Array.of(0)),
  }),
  'extra-data-of-the-pem': bad('qualifying-data', 'qualifying-data-differs', {
    qualifyingData: () => sha256(toUtf8(encodePem('CERTIFICATE', ENCLAVE_KEY.spki))),
  }),
  'statement-bit': bad('qualifying-data', 'qualifying-data-differs', {
    bundle: (b) => ({ ...b, statement: b.statement.map((byte, i) => (i === 20 ? byte ^ 1 : byte)) }),
  }),

  'bytes-by-an-unrestricted-key': bad('quote-signature', 'quote-magic', {
    attestBytes: (bytes) => concat(Uint8Array.of(0), bytes.slice(1)),
  }),
  'certify-instead-of-quote': bad('quote-signature', 'quote-not-a-quote', {
    attest: (a) => ({
      ...a,
      attested: { kind: 'certify', name: a.qualifiedSigner, qualifiedName: a.qualifiedSigner },
    }),
  }),
  'signed-by-another-key': bad('quote-signature', 'quote-signature', { signer: ecKey('attacker') }),
  'attest-bit': bad('quote-signature', 'quote-signature', {
    bundle: (b) => ({
      ...b,
      attest: b.attest.map((byte, i) => (i === b.attest.length - 1 ? byte ^ 0x80 : byte)),
    }),
  }),
  'not-restricted': bad('attestation-key', 'attestation-key-attributes', attribute({ restricted: false })),
  'not-a-signing-key': bad('attestation-key', 'attestation-key-attributes', attribute({ sign: false })),
  'decrypting-key': bad('attestation-key', 'attestation-key-attributes', attribute({ decrypt: true })),
  'not-fixed-to-its-tpm': bad(
    'attestation-key',
    'attestation-key-attributes',
    attribute({ fixedTPM: false }),
  ),
  'not-fixed-to-its-parent': bad(
    'attestation-key',
    'attestation-key-attributes',
    attribute({ fixedParent: false }),
  ),
  'made-outside-the-tpm': bad(
    'attestation-key',
    'attestation-key-attributes',
    attribute({ sensitiveDataOrigin: false }),
  ),
  'key-without-scheme': bad('attestation-key', 'attestation-key-scheme', {
    akPublic: (p) => ({
      ...p,
      parameters: p.parameters.kind === 'ecc' ? { ...p.parameters, scheme: { kind: 'null' } } : p.parameters,
    }),
  }),
  'key-with-a-sha-1-scheme': bad('attestation-key', 'attestation-key-scheme', {
    akPublic: (p) => ({
      ...p,
      parameters:
        p.parameters.kind === 'ecc'
          ? { ...p.parameters, scheme: { kind: 'ecdsa', hash: 'sha1' } }
          : p.parameters,
    }),
  }),
  'key-of-the-owner-hierarchy': bad(
    'qualified-signer',
    'qualified-signer-differs',
    attest({ qualifiedSigner: new Uint8Array(34) }),
  ),
  'software-key-without-certificate': bad('attestation-key-chain', 'attestation-key-certificate', {
    ak: ecKey('software key'),
    akCertificate: (f) => ({ ...f, spki: ecKey('ak').spki }),
  }),
  'key-certificate-of-a-component': bad('attestation-key-chain', 'chain-role', {
    akCertificate: (f) => ({ ...f, extensions: { ...f.extensions, extendedKeyUsage: [OID_EKU_ENCLAVE] } }),
  }),
  'key-certificate-expired': bad('attestation-key-chain', 'chain-expired', {
    akCertificate: (f) => ({ ...f, notAfter: FIXTURE_NOW - 1 }),
  }),
  'emulated-tpm': bad('tpm-trust', 'tpm-emulated', {
    akCertificate: (f) => ({ ...f, extensions: { tpmTrust: { ekSha256: EK_SHA256, how: 'emulated' } } }),
  }),
  'root-of-the-key-not-in-the-policy': bad(
    'attestation-key-chain',
    'chain-untrusted',
    policy({ roots: rootSha256('enclaves') }),
  ),
  'tpm-not-in-the-policy': bad('tpm-trust', 'tpm-not-accepted', policy({ eks: [sha256Hex('other')] })),

  'statement-with-a-nested-quote': bad(
    'statement',
    'statement-malformed',
    statement(() => ({ quote: 'AAAA' })),
  ),
  'statement-of-another-profile': bad(
    'statement',
    'statement-malformed',
    statement(() => ({ eat_profile: 'tag:example.com,2026:x' })),
  ),
  'statement-with-an-image-by-tag': bad(
    'statement',
    'statement-malformed',
    pod({ images: [{ container: 'app', image: 'app:latest' }] }),
  ),
  'statement-with-a-member-twice': bad('statement', 'statement-duplicate-member', {
    statementBytes: (bytes) => toUtf8((fromUtf8(bytes) ?? '').replace('"iat":', '"iat":1,"iat":')),
  }),
  'nonce-replayed': bad('nonce', 'nonce-differs', context({ nonce: sha256(toUtf8('a new challenge')) })),
  'statement-too-old': bad(
    'age',
    'evidence-too-old',
    statement(() => ({ iat: FIXTURE_NOW - 301 })),
  ),
  'statement-from-the-future': bad(
    'age',
    'evidence-from-the-future',
    statement(() => ({ iat: FIXTURE_NOW + 61 })),
  ),
  'spki-statement-shown-to-a-client': bad(
    'confirmation',
    'confirmation-form',
    statement(() => ({ cnf: { 'spki#S256': toBase64url(sha256(ENCLAVE_KEY.spki)) } })),
  ),
  'statement-of-another-certificate': bad(
    'confirmation',
    'confirmation-differs',
    statement(() => ({ cnf: { 'x5t#S256': toBase64url(sha256(toUtf8('other'))) } })),
  ),
  'quote-of-another-node': bad('node', 'node-differs', {
    akCertificate: (f) => ({ ...f, subject: { commonName: 'node-2' } }),
    ...context({ seen: [] }),
  }),
  'stolen-node-claims-anothers-pod': bad(
    'pod',
    'pod-differs',
    pod({ uid: '9d1b8f0e-0000-4000-8000-000000000001' }),
  ),
  'statement-of-another-enclave': bad('pod', 'pod-differs', {
    ...pod({ enclave: 'eother' }),
    ...policy({ enclaves: 'any' }),
  }),
  'owner-key-swapped': bad('owner-key', 'owner-key-differs', {
    ...access({ ownerKeySha256: GUEST_SHA256 }),
    ...context({ ownerKeySha256: GUEST_SHA256 }),
  }),

  'pcr-subset': bad('pcr-selection', 'pcr-selection-differs', {
    pcrs: { hash: 'sha256', pcrs: PCRS.slice(0, 7) },
  }),
  'pcr-superset': bad('pcr-selection', 'pcr-selection-differs', {
    pcrs: { hash: 'sha256', pcrs: [...PCRS, 8] },
  }),
  'pcr-other-bank': bad('pcr-selection', 'pcr-selection-differs', { pcrs: { hash: 'sha384', pcrs: PCRS } }),
  'pcr-two-banks': bad('pcr-selection', 'pcr-selection-differs', {
    attest: (a) =>
      a.attested.kind === 'quote'
        ? {
            ...a,
            attested: {
              ...a.attested,
              pcrSelect: [...a.attested.pcrSelect, { hash: 'sha384', select: new Uint8Array(3) }],
            },
          }
        : a,
  }),
  'pcr-16': bad('pcr-selection', 'pcr-resettable', { pcrs: { hash: 'sha256', pcrs: [...PCRS, 16] } }),
  'pcr-23': bad('pcr-selection', 'pcr-resettable', { pcrs: { hash: 'sha256', pcrs: [...PCRS, 23] } }),
  'pcr-value-changed': bad('pcr-digest', 'pcr-digest-differs', {
    bundle: (b) => ({
      ...b,
      pcrValues: b.pcrValues && {
        ...b.pcrValues,
        values: b.pcrValues.values.map((v) => (v.index === 4 ? { ...v, digest: new Uint8Array(32) } : v)),
      },
    }),
  }),
  'pcr-values-of-other-firmware': bad(
    'pcr-values',
    'pcr-values-refused',
    policy(PCR_SET(() => new Uint8Array(32))),
  ),
  'another-tpm-for-the-node': bad('known-tpm', 'node-other-tpm', seen({ ekSha256: sha256Hex('other') })),
  'tpm-of-another-node': bad('known-tpm', 'node-other-tpm', seen({ node: 'node-2' })),
  'reset-count-went-back': bad(
    'clock',
    'clock-went-back',
    clock({ resetCount: 6, restartCount: 9, clock: 9_000_000n }),
  ),
  'restart-count-went-back': bad('clock', 'clock-went-back', clock({ restartCount: 0, clock: 9_000_000n })),
  'clock-went-back': bad('clock', 'clock-went-back', clock({ clock: 899_999n })),
  'clock-behind-what-the-other-key-showed': bad(
    'clock',
    'clock-went-back',
    seen({ akName: '000b01', clock: 900_000 }, { akName: '000b02', clock: 1_000_001 }),
  ),
  'unsafe-clock-without-reset': bad('clock', 'clock-unsafe', clock({ safe: false })),
  'unsafe-clock-after-reset-without-nonce': bad('clock', 'clock-unsafe', {
    ...clock({ safe: false, resetCount: 8 }),
    ...context({ nonce: 'unchecked' }),
  }),

  'namespace-of-another-team': bad('namespace', 'namespace-refused', policy({ namespaces: ['other'] })),
  'service-account-of-another': bad(
    'service-account',
    'service-account-refused',
    policy({ serviceAccounts: ['other'] }),
  ),
  'enclave-not-asked-for': bad('enclave', 'enclave-refused', policy({ enclaves: ['eother'] })),
  'image-not-accepted': bad('images', 'image-refused', policy({ images: [`sha256:${sha256Hex('other')}`] })),
  'spec-not-accepted': bad('spec', 'spec-refused', policy({ specSha256: [sha256Hex('other')] })),
  'upstream-not-accepted': bad('access', 'access-refused', access({ upstream: '8080' })),
  'mode-not-accepted': bad('access', 'access-refused', access({ mode: 'tcp' })),
  'owner-is-another': bad('owner', 'owner-refused', context({ ownerKeySha256: GUEST_SHA256 })),
  'owner-not-in-the-policy': bad('owner', 'owner-refused', {
    ...context({ ownerKeySha256: undefined }),
    ...policy({ ownerKeys: [GUEST_SHA256] }),
  }),
  'grant-of-another-enclave': bad('owner', 'grant-refused', granted({ enclave: 'eother' })),
  'grant-expired': bad('owner', 'grant-refused', granted({ notAfter: FIXTURE_NOW - 1 })),
  'grant-by-another-key': bad('owner', 'grant-refused', granted({ signer: 'attacker' })),
  'roots-unknown': bad('roots', 'roots-refused', access({ rootsSha256: sha256Hex('other') })),
};
