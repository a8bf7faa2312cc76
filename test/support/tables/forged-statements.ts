import { toBase64url } from '../../../formats/bytes/base64.ts';
import { concat, fromUtf8, toHex, toUtf8 } from '../../../formats/bytes/bytes.ts';
import { encodePem } from '../../../formats/x509/pem.ts';
import type { CheckName } from '../../../verify/check-names.ts';
import { type Changes, ENCLAVE_KEY, FIXTURE_NONCE, fixture } from '../evidence.ts';
import { FIXTURE_NOW } from '../fixture-certificates.ts';
import { ecKey } from '../fixture-keys.ts';
import {
  access,
  bad,
  certificate,
  context,
  type Forgeries,
  good,
  pod,
  policy,
  sha256,
  statement,
} from '../forgery.ts';

const [CERTIFICATE = new Uint8Array()] = fixture().bundle.certificateChain;
const GUEST_SHA256 = toHex(sha256(ecKey('guest').spki));

/** The statement's text with a part replaced; the quote covers the outcome. */
const text = (from: string, to: string): Changes => ({
  statementBytes: (bytes) => {
    const before = fromUtf8(bytes) ?? '';
    if (!before.includes(from)) throw new Error(`${from} is not in the statement`);
    return toUtf8(before.replace(from, to));
  },
});
const malformed = (changes: Changes) => bad('statement', 'statement-malformed', changes);
const twice = (changes: Changes) => bad('statement', 'statement-duplicate-member', changes);
const confirming = (cnf: object) => statement(() => ({ cnf }));
const spki = toBase64url(sha256(ENCLAVE_KEY.spki));
const x5t = toBase64url(sha256(CERTIFICATE));
const binding = (part: object): Changes =>
  certificate((f) => ({
    extensions: {
      ...f.extensions,
      enclaveBinding: { podUid: '', enclave: '', node: '', ...f.extensions?.enclaveBinding, ...part },
    },
  }));
const differs = (check: CheckName & ('node' | 'pod' | 'owner-key'), changes: Changes) =>
  bad(check, `${check}-differs`, changes);
const OTHER_UID = '9d1b8f0e-0000-4000-8000-000000000001';
const keyOf = (node: string): Changes => ({
  akCertificate: (f) => ({ ...f, subject: { commonName: node } }),
  ...context({ seen: [] }),
});

/** The signed claims: their form, freshness, what they confirm, and what certificate and statement both name. */
export const FORGED_STATEMENTS: Forgeries = {
  'statement-with-a-nested-quote': malformed(statement(() => ({ quote: 'AAAA' }))),
  'statement-with-a-nested-statement': malformed(statement((s) => ({ submods: { inner: s } }))),
  'statement-of-another-profile': malformed(statement(() => ({ eat_profile: 'tag:example.com,2026:x' }))),
  'statement-without-nonce': malformed(statement(() => ({ eat_nonce: undefined }))),
  'statement-with-a-short-nonce': malformed(
    statement(() => ({ eat_nonce: toBase64url(FIXTURE_NONCE.slice(0, 8)) })),
  ),
  'statement-with-an-image-by-tag': malformed(pod({ images: [{ container: 'app', image: 'app:latest' }] })),
  'statement-with-no-image': malformed(pod({ images: [] })),
  'statement-with-a-container-twice': malformed(
    statement(({ pod: p }) => ({ pod: { ...p, images: [...p.images, ...p.images] } })),
  ),
  'statement-that-confirms-nothing': malformed(confirming({})),
  'statement-that-confirms-two-things': malformed(confirming({ 'x5t#S256': x5t, 'spki#S256': spki })),
  'statement-of-another-subject': malformed(
    statement(() => ({ sub: 'spiffe://enclave-licensing.internal/ns/team/sa/other' })),
  ),
  'statement-of-a-subject-elsewhere': malformed(
    statement(() => ({ sub: 'spiffe://enclave-licensing.internal/ns/other/sa/default' })),
  ),
  'statement-without-owner-key': malformed(access({ ownerKeySha256: undefined })),
  'statement-with-a-fractional-time': malformed(
    text(`"iat":${FIXTURE_NOW - 5}`, `"iat":${FIXTURE_NOW - 5}.5`),
  ),
  'statement-with-text-behind-it': malformed({ statementBytes: (bytes) => concat(bytes, toUtf8('{}')) }),
  'statement-with-a-byte-order-mark': malformed({
    statementBytes: (bytes) => concat(Uint8Array.of(0xef, 0xbb, 0xbf), bytes),
  }),
  'statement-not-utf-8': malformed({
    statementBytes: (bytes) => concat(bytes.slice(0, -1), Uint8Array.of(0x20, 0xff, 0x7d)),
  }),
  'statement-with-a-member-twice': twice(text('"iat":', '"iat":1,"iat":')),
  'statement-with-a-member-twice-by-an-escape': twice(text('"iat":', '"\\u0069at":1,"iat":')),
  'statement-with-a-nested-member-twice': twice(text('"uid":', `"uid":"${OTHER_UID}","uid":`)),
  'statement-with-a-confirmation-twice': twice(text('"x5t#S256":', `"x5t#S256":"${spki}","x5t#S256":`)),

  'nonce-replayed': bad('nonce', 'nonce-differs', context({ nonce: sha256(toUtf8('a new challenge')) })),
  'nonce-prefix': bad(
    'nonce',
    'nonce-differs',
    statement(() => ({ eat_nonce: toBase64url(FIXTURE_NONCE.slice(0, 16)) })),
  ),
  'nonce-extended': bad(
    'nonce',
    'nonce-differs',
    statement(() => ({ eat_nonce: toBase64url(concat(FIXTURE_NONCE, FIXTURE_NONCE)) })),
  ),
  'good-statement-as-old-as-may-be': good(statement(() => ({ iat: FIXTURE_NOW - 300 }))),
  'good-statement-as-early-as-may-be': good(statement(() => ({ iat: FIXTURE_NOW + 60 }))),
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
    confirming({ 'spki#S256': spki }),
  ),
  'statement-of-another-certificate': bad(
    'confirmation',
    'confirmation-differs',
    confirming({ 'x5t#S256': toBase64url(sha256(toUtf8('other'))) }),
  ),
  'statement-of-the-pem': bad(
    'confirmation',
    'confirmation-differs',
    confirming({ 'x5t#S256': toBase64url(sha256(toUtf8(encodePem('CERTIFICATE', CERTIFICATE)))) }),
  ),
  'statement-of-the-certificate-s-key': bad(
    'confirmation',
    'confirmation-differs',
    confirming({ 'x5t#S256': spki }),
  ),

  'quote-of-one-node-with-the-certificate-of-another': differs('node', {
    ...keyOf('node-2'),
    ...pod({ node: 'node-2' }),
  }),
  'quote-of-another-node': differs('node', keyOf('node-2')),
  'statement-of-another-node': differs('node', pod({ node: 'node-2' })),
  'certificate-of-another-node': differs('node', binding({ node: 'node-2' })),
  // Written one after the other, the names on either side are the same text.
  'nodes-whose-names-run-together': differs('node', {
    ...keyOf('node-1, node-1'),
    ...binding({ node: 'node-1, node-1, node-1' }),
  }),
  // A node whose TPM is genuine and certified speaks for a pod that runs elsewhere: its certificate names its own pod.
  'stolen-node-claims-another-node-s-pod-uid': differs('pod', pod({ uid: OTHER_UID })),
  'stolen-node-claims-another-node-s-pod-and-name': differs('node', {
    ...keyOf('node-2'),
    ...binding({ podUid: OTHER_UID }),
    ...pod({ uid: OTHER_UID }),
  }),
  'certificate-of-another-pod': differs('pod', binding({ podUid: OTHER_UID })),
  'statement-of-another-enclave': differs('pod', {
    ...pod({ enclave: 'eother' }),
    ...policy({ enclaves: 'any' }),
  }),
  'statement-of-another-namespace': differs('pod', {
    ...statement((s) => ({
      sub: 'spiffe://enclave-licensing.internal/ns/other/sa/default',
      pod: { ...s.pod, namespace: 'other' },
    })),
    ...policy({ namespaces: 'any' }),
  }),
  'owner-key-swapped': differs('owner-key', {
    ...access({ ownerKeySha256: GUEST_SHA256 }),
    ...context({ ownerKeySha256: GUEST_SHA256 }),
  }),
  'certificate-without-owner-key': differs('owner-key', binding({ ownerKeySha256: undefined })),
  'certificate-of-another-owner': differs(
    'owner-key',
    binding({ ownerKeySha256: toHex(sha256(ecKey('guest').spki)) }),
  ),
};
