import { p256 } from '@noble/curves/nist.js';
import { concat, fromHex, toHex } from '../../../formats/bytes/bytes.ts';
import type { Public } from '../../../formats/tpm/public.ts';
import type { Signature } from '../../../formats/tpm/signature.ts';
import type { AK_ATTRIBUTES } from '../../../formats/tpm/templates.ts';
import type { Changes } from '../evidence.ts';
import { EK_SHA256 } from '../evidence.ts';
import { ecKey } from '../fixture-keys.ts';
import { attest, bad, type Forgeries, good, policy, sha256Hex } from '../forgery.ts';

const attribute = (part: Partial<typeof AK_ATTRIBUTES>): Changes => ({
  akPublic: (p) => ({ ...p, attributes: { ...p.attributes, ...part } }),
});
const withoutAttribute = (part: Partial<typeof AK_ATTRIBUTES>) =>
  bad('attestation-key', 'attestation-key-attributes', attribute(part));
const scheme = (change: Extract<Public['parameters'], { kind: 'ecc' }>['scheme']) =>
  bad('attestation-key', 'attestation-key-scheme', {
    akPublic: (p) => ({
      ...p,
      parameters: p.parameters.kind === 'ecc' ? { ...p.parameters, scheme: change } : p.parameters,
    }),
  });
const signature = (change: (s: Extract<Signature, { kind: 'ecdsa' }>) => Signature): Changes => ({
  signature: (s) => (s.kind === 'ecdsa' ? change(s) : s),
});
const otherS = (s: Uint8Array): Uint8Array => {
  const other = p256.Point.Fn.ORDER - BigInt(`0x${toHex(s)}`);
  return fromHex(other.toString(16).padStart(64, '0')) ?? new Uint8Array();
};
const unsigned = (changes: Changes) => bad('quote-signature', 'quote-signature', changes);
const otherType = (attested: Parameters<NonNullable<Changes['attest']>>[0]['attested']) =>
  bad('quote-signature', 'quote-not-a-quote', attest({ attested }));
const trust = (how: 'emulated' | 'listed'): Changes => ({
  akCertificate: (f) => ({ ...f, extensions: { tpmTrust: { ekSha256: EK_SHA256, how } } }),
});
const NAME = concat(Uint8Array.of(0, 0x0b), new Uint8Array(32));

/** The quote, its signature, the key that made it, and the TPM that holds the key. */
export const FORGED_QUOTES: Forgeries = {
  'good-emulated-and-allowed': good({ ...policy({ allowEmulatedTpm: true }), ...trust('emulated') }),
  'good-listed-tpm': good(trust('listed')),
  'good-key-named-by-sha-384': good({ akPublic: (p) => ({ ...p, nameAlg: 'sha384' }) }),

  // (r, n - s) is the same signature in its other form: TPMs make both, and neither says more than the other.
  'good-signature-with-the-other-s': good(signature((s) => ({ ...s, s: otherS(s.s) }))),
  // Leading zeros may be left out; firmware version 241 is the first whose quote has a number that begins with one.
  'good-signature-with-a-leading-zero': good(attest({ firmwareVersion: 241n })),
  'good-signature-without-its-leading-zero': good({
    ...attest({ firmwareVersion: 241n }),
    ...signature((s) => ({ ...s, r: s.r.slice(s.r.findIndex((byte) => byte !== 0)) })),
  }),

  // What a restricted key refuses to sign, and an unrestricted one does not: bytes that only look like a quote.
  'bytes-signed-by-an-unrestricted-key': bad('attestation-key', 'attestation-key-attributes', {
    ...attribute({ restricted: false }),
    ...attest({
      firmwareVersion: 2n,
      clockInfo: { clock: 2_000_000n, resetCount: 8, restartCount: 0, safe: true },
    }),
  }),
  'bytes-without-the-mark-of-a-tpm': bad('quote-signature', 'quote-magic', {
    attestBytes: (bytes) => concat(Uint8Array.of(0), bytes.slice(1)),
  }),
  'attest-with-a-byte-behind-it': bad('quote-signature', 'quote-malformed', {
    attestBytes: (bytes) => concat(bytes, Uint8Array.of(0)),
  }),
  'attest-cut-off': bad('quote-signature', 'quote-malformed', {
    attestBytes: (bytes) => bytes.slice(0, -1),
  }),
  'attest-with-an-unknown-bank': bad('quote-signature', 'quote-malformed', {
    attestBytes: (bytes) =>
      Uint8Array.from(Buffer.from(toHex(bytes).replace('000b03ff0000', '00ff03ff0000'), 'hex')),
  }),
  'attest-with-safe-of-two': bad('quote-signature', 'quote-malformed', {
    attestBytes: (bytes) =>
      Uint8Array.from(Buffer.from(toHex(bytes).replace('000000070000000201', '000000070000000202'), 'hex')),
  }),
  'certify-instead-of-quote': otherType({ kind: 'certify', name: NAME, qualifiedName: NAME }),
  'creation-instead-of-quote': otherType({
    kind: 'creation',
    objectName: NAME,
    creationHash: new Uint8Array(32),
  }),
  'time-instead-of-quote': otherType({
    kind: 'time',
    time: { time: 1n, clockInfo: { clock: 1n, resetCount: 1, restartCount: 1, safe: true } },
    firmwareVersion: 1n,
  }),
  'signed-by-another-key': unsigned({ signer: ecKey('attacker') }),
  'attest-bit': unsigned({
    bundle: (b) => ({
      ...b,
      attest: b.attest.map((byte, i) => (i === b.attest.length - 1 ? byte ^ 0x80 : byte)),
    }),
  }),
  'signature-of-zeros': unsigned(signature((s) => ({ ...s, r: new Uint8Array(32), s: new Uint8Array(32) }))),
  'signature-with-a-padded-number': unsigned(signature((s) => ({ ...s, r: concat(new Uint8Array(1), s.r) }))),
  'signature-with-its-second-number-padded': unsigned(
    signature((s) => ({ ...s, s: concat(new Uint8Array(1), s.s) })),
  ),
  'signature-that-names-another-hash': unsigned(signature((s) => ({ ...s, hash: 'sha384' }))),
  'signature-by-sha-1': unsigned(signature((s) => ({ ...s, hash: 'sha1' }))),
  'signature-by-sha-512': unsigned(signature((s) => ({ ...s, hash: 'sha512' }))),
  'signature-with-a-byte-behind-it': unsigned({
    bundle: (b) => ({ ...b, signature: concat(b.signature, Uint8Array.of(0)) }),
  }),
  'key-not-on-its-curve': unsigned({
    akCertificate: (f) => ({ ...f, spki: f.spki.map((byte, i) => (i >= 27 && i < 59 ? 1 : byte)) }),
    akPublic: (p) =>
      p.unique.kind === 'ecc' ? { ...p, unique: { ...p.unique, x: new Uint8Array(32).fill(1) } } : p,
  }),

  'not-restricted': withoutAttribute({ restricted: false }),
  'not-a-signing-key': withoutAttribute({ sign: false }),
  'decrypting-key': withoutAttribute({ decrypt: true }),
  'not-fixed-to-its-tpm': withoutAttribute({ fixedTPM: false }),
  'not-fixed-to-its-parent': withoutAttribute({ fixedParent: false }),
  'made-outside-the-tpm': withoutAttribute({ sensitiveDataOrigin: false }),
  'key-without-scheme': scheme({ kind: 'null' }),
  'key-with-a-sha-1-scheme': scheme({ kind: 'ecdsa', hash: 'sha1' }),
  'key-with-a-sha-512-scheme': scheme({ kind: 'ecdsa', hash: 'sha512' }),
  'key-that-agrees-on-keys': scheme({ kind: 'ecdh', hash: 'sha256' }),
  'key-with-a-symmetric-algorithm': bad('attestation-key', 'attestation-key-scheme', {
    akPublic: (p) => ({
      ...p,
      parameters: { ...p.parameters, symmetric: { kind: 'aes', keyBits: '128', mode: 'cfb' } },
    }),
  }),
  'key-named-by-sha-1': bad('attestation-key', 'attestation-key-scheme', {
    akPublic: (p) => ({ ...p, nameAlg: 'sha1' }),
  }),
  'key-with-a-byte-behind-it': bad('attestation-key', 'attestation-key-malformed', {
    bundle: (b) => ({ ...b, attestationKeyPublic: concat(b.attestationKeyPublic, Uint8Array.of(0)) }),
  }),
  'key-with-a-reserved-attribute': bad('attestation-key', 'attestation-key-malformed', {
    bundle: (b) => ({
      ...b,
      attestationKeyPublic: b.attestationKeyPublic.map((byte, i) => (i === 4 ? byte | 0x80 : byte)),
    }),
  }),
  'key-with-a-coordinate-too-long': bad('attestation-key', 'attestation-key-malformed', {
    akPublic: (p) =>
      p.unique.kind === 'ecc'
        ? { ...p, unique: { ...p.unique, x: concat(new Uint8Array(1), p.unique.x) } }
        : p,
  }),
  'key-of-the-owner-hierarchy': bad('qualified-signer', 'qualified-signer-differs', {
    hierarchy: 0x40000001,
  }),
  'quote-by-a-key-of-another-name': bad(
    'qualified-signer',
    'qualified-signer-differs',
    attest({ qualifiedSigner: new Uint8Array(34) }),
  ),
  'emulated-tpm': bad('tpm-trust', 'tpm-emulated', trust('emulated')),
  'tpm-not-in-the-policy': bad('tpm-trust', 'tpm-not-accepted', policy({ eks: [sha256Hex('other')] })),
};
