import { expect, test } from 'vitest';
import { readEnclaveEvidence } from '../../certs/evaluate/enclave-evidence.ts';
import { encodeBundle } from '../../formats/evidence/bundle.ts';
import { rootsSha256, rootsToJson } from '../../formats/evidence/roots.ts';
import { buildCertificateRequest } from '../../formats/x509/certificate-request.ts';
import { SIGNERS } from '../../names/signers.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import { generateKey } from '../../platform/identity/key-pair.ts';
import { type Changes, ENCLAVE_KEY, requestFixture } from '../support/evidence.ts';
import { codeOf, read, requestOf } from './support.ts';

function evaluate(
  changes: Changes = {},
  change: Partial<Parameters<typeof readEnclaveEvidence>[2]> = {},
  key = ENCLAVE_KEY,
) {
  const { bundle, context } = requestFixture(changes);
  const der = buildCertificateRequest(
    { spki: key.spki, evidence: encodeBundle(bundle) },
    key.sign,
    key.scheme,
  );
  const request = read(requestOf(der, { signerName: SIGNERS.enclaves, username: 'agent', usages: [] }));
  const trust = {
    roots: context.trust,
    rootSets: [rootsSha256(nodeCrypto, rootsToJson(context.trust))],
    pcrSelection: { hash: 'sha256', pcrs: [0, 1, 2, 3, 4, 5, 6, 7] } as const,
    epochs: context.epochs,
    seen: context.seen ?? [],
    ...change,
  };
  return readEnclaveEvidence(nodeCrypto, request, trust, context.now);
}

test('what verifies is the statement, and which TPM said it', () => {
  const evidence = evaluate();
  if (!evidence.ok) throw new Error(evidence.message);
  expect(evidence.value.statement.pod.node).toBe('node-1');
  expect(evidence.value.tpm.node).toBe('node-1');
});

test.each<[string, string, () => ReturnType<typeof evaluate>]>([
  [
    'evidence over another key',
    'confirmation-differs',
    () => evaluate({}, {}, { ...ENCLAVE_KEY, ...generateKey() }),
  ],
  ['an epoch that has passed', 'nonce-differs', () => evaluate({}, { epochs: [new Uint8Array(32)] })],
  ['no epoch at all', 'nonce-differs', () => evaluate({}, { epochs: [] })],
  ['other PCRs', 'pcr-selection-differs', () => evaluate({ pcrs: { hash: 'sha256', pcrs: [0] } })],
  [
    'a resource count that went back',
    'clock-went-back',
    () =>
      evaluate(
        {},
        {
          seen: [
            { node: 'node-1', ekSha256: evidenceEk(), akName: '', resetCount: 99, restartCount: 0, clock: 0 },
          ],
        },
      ),
  ],
  [
    'a node that has another TPM',
    'node-other-tpm',
    () =>
      evaluate(
        {},
        {
          seen: [
            {
              node: 'node-1',
              ekSha256: 'ab'.repeat(32),
              akName: '',
              resetCount: 0,
              restartCount: 0,
              clock: 0,
            },
          ],
        },
      ),
  ],
  ['roots that nobody named', 'roots-refused', () => evaluate({}, { rootSets: ['ab'.repeat(32)] })],
  [
    'a certificate in the bundle',
    'bundle-malformed',
    () => evaluate({ bundle: (bundle) => ({ ...bundle, certificateChain: [new Uint8Array([1])] }) }),
  ],
  [
    'another node in the statement',
    'node-differs',
    () => evaluate({ statement: (s) => ({ ...s, pod: { ...s.pod, node: 'node-2' } }) }),
  ],
])('%s: %s', (_what, code, evidence) => {
  const refusal = evidence();
  expect(refusal).toMatchObject({ ok: false, code: 'evidence-refused' });
  if (!refusal.ok) expect(refusal.message).toContain(code);
});

function evidenceEk(): string {
  const evidence = evaluate();
  return evidence.ok ? evidence.value.tpm.ekSha256 : '';
}

test('no evidence, or bytes that are none', () => {
  const key = generateKey();
  const request = (evidence?: Uint8Array) =>
    read(
      requestOf(buildCertificateRequest({ spki: key.spki, evidence }, key.sign, key.scheme), {
        signerName: SIGNERS.enclaves,
        username: 'agent',
        usages: [],
      }),
    );
  const { context } = requestFixture();
  const trust = {
    roots: context.trust,
    rootSets: [],
    pcrSelection: { hash: 'sha256', pcrs: [0] },
    epochs: [],
    seen: [],
  } as const;
  expect(codeOf(readEnclaveEvidence(nodeCrypto, request(), trust, context.now))).toBe('evidence-missing');
  expect(codeOf(readEnclaveEvidence(nodeCrypto, request(new Uint8Array([1, 2])), trust, context.now))).toBe(
    'evidence-refused',
  );
});
