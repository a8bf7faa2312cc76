import { expect, test } from 'vitest';
import { CHECKS, type CheckName } from '../../verify/check-names.ts';
import type { VerifyCode } from '../../verify/verify-code.ts';
import { publishedVectors } from '../support/published-vectors.ts';

const BOTH = ['certificate-chain', 'attestation-key-chain'] as const;
const SHAPE_FIRST =
  'bundle-shape refuses such a bundle first; test/verify/certificate-chain.test.ts holds it';

/** Every failure class with the checks that report it, or why none can. The compiler sees a class that is missing. */
const CODES: Readonly<Record<VerifyCode, readonly CheckName[] | string>> = {
  'chain-empty': SHAPE_FIRST,
  'chain-too-long': SHAPE_FIRST,
  'chain-malformed': BOTH,
  'chain-no-roots': BOTH,
  'chain-untrusted': BOTH,
  'chain-signature': BOTH,
  'chain-expired': BOTH,
  'chain-not-yet-valid': BOTH,
  'chain-not-a-ca': BOTH,
  'chain-usage': BOTH,
  'chain-role': BOTH,
  'chain-key': BOTH,
  'chain-critical-extension': BOTH,
  'chain-name-constraints': BOTH,
  // The attestation key's chain is asked for no DNS name: its certificate has none.
  'chain-name': ['certificate-chain'],
  'chain-binding': BOTH,
  'bundle-malformed': ['bundle-shape'],
  'live-certificate-differs': ['live-certificate'],
  'batch-proof': ['batch-proof'],
  'quote-magic': ['quote-signature'],
  'quote-malformed': ['quote-signature'],
  'quote-not-a-quote': ['quote-signature'],
  'qualifying-data-differs': ['qualifying-data'],
  'quote-signature': ['quote-signature'],
  'attestation-key-malformed': ['attestation-key'],
  'attestation-key-attributes': ['attestation-key'],
  'attestation-key-scheme': ['attestation-key'],
  'attestation-key-weak': ['attestation-key'],
  'qualified-signer-differs': ['qualified-signer'],
  'attestation-key-certificate': ['attestation-key-chain'],
  'tpm-emulated': ['tpm-trust'],
  'tpm-not-accepted': ['tpm-trust'],
  'statement-malformed': ['statement'],
  'statement-duplicate-member': ['statement'],
  'nonce-differs': ['nonce'],
  'evidence-too-old': ['age'],
  'evidence-from-the-future': ['age'],
  'confirmation-form': ['confirmation'],
  'confirmation-differs': ['confirmation'],
  'node-differs': ['node'],
  'pod-differs': ['pod'],
  'owner-key-differs': ['owner-key'],
  'pcr-selection-differs': ['pcr-selection'],
  'pcr-resettable': ['pcr-selection'],
  'pcr-digest-differs': ['pcr-digest'],
  'pcr-values-refused': ['pcr-values'],
  'node-other-tpm': ['known-tpm'],
  'clock-went-back': ['clock'],
  'clock-unsafe': ['clock'],
  'namespace-refused': ['namespace'],
  'service-account-refused': ['service-account'],
  'enclave-refused': ['enclave'],
  'image-refused': ['images'],
  'spec-refused': ['spec'],
  'access-refused': ['access'],
  'owner-refused': ['owner'],
  'grant-refused': ['owner'],
  'roots-refused': ['roots'],
};

/** The standard forgeries, and the vectors that are them. */
const STANDARD: Readonly<Record<string, readonly string[]>> = {
  'bytes signed by an unrestricted key': [
    'bytes-signed-by-an-unrestricted-key',
    'bytes-without-the-mark-of-a-tpm',
  ],
  'a software key with plausible AK attributes': [
    'software-key-with-plausible-attributes',
    'software-key-certified-by-its-maker',
  ],
  'quote of one node with the certificate of another': ['quote-of-one-node-with-the-certificate-of-another'],
  'AK without restricted': ['not-restricted'],
  'AK without sign': ['not-a-signing-key'],
  'AK with decrypt': ['decrypting-key'],
  'AK without fixedTPM': ['not-fixed-to-its-tpm'],
  'AK without fixedParent': ['not-fixed-to-its-parent'],
  'AK without sensitiveDataOrigin': ['made-outside-the-tpm'],
  'PCR selection a subset': ['pcr-subset'],
  'PCR selection a superset': ['pcr-superset'],
  'PCR selection of another bank': ['pcr-other-bank'],
  'PCR selection of two banks': ['pcr-two-banks', 'pcr-two-banks-the-second-empty'],
  'PCR 16 or 23': ['pcr-16', 'pcr-23'],
  'a stolen node that claims another node’s pod UID': [
    'stolen-node-claims-another-node-s-pod-uid',
    'stolen-node-claims-another-node-s-pod-and-name',
  ],
  'an spki statement shown to a client': ['spki-statement-shown-to-a-client'],
  'safe = NO with a higher reset count': [
    'good-unsafe-clock-after-reset',
    'unsafe-clock-after-reset-without-nonce',
  ],
  'safe = NO without a higher reset count': [
    'unsafe-clock-without-reset',
    'unsafe-clock-of-a-node-never-seen',
  ],
  'extraData a prefix': ['extra-data-prefix'],
  'extraData padded': ['extra-data-padded'],
  'extraData the PEM’s hash': ['extra-data-of-the-pem', 'statement-of-the-pem'],
  'a batch leaf used as a node': ['leaf-used-as-node', 'node-used-as-leaf'],
  'a path too short': ['path-too-short'],
  'a path too long': ['path-too-long'],
  'index beyond n': ['index-beyond-count', 'index-is-the-count-of-one'],
  'nonce replay': ['nonce-replayed'],
  'nested quote in a statement': ['statement-with-a-nested-quote'],
  'duplicate JSON members': [
    'statement-with-a-member-twice',
    'statement-with-a-nested-member-twice',
    'statement-with-a-member-twice-by-an-escape',
  ],
  'certificate swapped after verification': ['certificate-swapped-after-verification'],
  'a resumed TLS session': ['tls-session-resumed'],
};

const vectors = publishedVectors();
const covered = new Set([...vectors.values()].map(({ expected }) => `${expected?.check} ${expected?.code}`));

test('every check and every failure class has a vector whose only failed check it is', () => {
  const wanted = Object.entries(CODES).flatMap(([code, checks]) =>
    typeof checks === 'string' ? [] : checks.map((check) => `${check} ${code}`),
  );
  expect(wanted.filter((each) => !covered.has(each))).toEqual([]);
  expect([...covered].filter((each) => each !== 'undefined undefined' && !wanted.includes(each))).toEqual([]);
  const checks = new Set(Object.values(CODES).flatMap((each) => (typeof each === 'string' ? [] : each)));
  expect(Object.keys(CHECKS).filter((name) => ![...checks].some((each) => each === name))).toEqual([]);
});

test('the standard forgeries are there by name, and none of them passes', () => {
  for (const [forgery, names] of Object.entries(STANDARD))
    for (const name of names) {
      expect(vectors.get(name)?.bundle, `${forgery}: ${name}`).toBeDefined();
      expect(vectors.get(name)?.expected === null, name).toBe(name.startsWith('good-'));
    }
});

test('only a name that says so is good', () => {
  for (const [name, { expected }] of vectors)
    expect(expected === null, name).toBe(name === 'good' || name.startsWith('good-'));
});
