import { describe, expect, test } from 'vitest';
import { toBase64url } from '../../formats/bytes/base64.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import { verifyRequestEvidence } from '../../verify/request.ts';
import { type Changes, fixture, requestFixture } from '../support/evidence.ts';
import { ecKey } from '../support/fixture-keys.ts';

function codeOf(changes: Changes = {}, context: object = {}): string | undefined {
  const made = requestFixture(changes);
  return verifyRequestEvidence(made.bundle, made.policy, { ...made.context, ...context }).code;
}

describe('evidence in a request', () => {
  test('passes with the current or the previous epoch', () => {
    expect(codeOf()).toBeUndefined();
    expect(codeOf({}, { epochs: [requestFixture().context.epochs[1]] })).toBeUndefined();
  });

  test('is refused for an older epoch, another key, or a certificate that is there', () => {
    expect(codeOf({}, { epochs: [new Uint8Array(32)] })).toBe('nonce-differs');
    expect(codeOf({}, { epochs: [] })).toBe('nonce-differs');
    expect(codeOf({}, { spki: ecKey('other').spki })).toBe('confirmation-differs');
    expect(codeOf({ bundle: () => fixture().bundle })).toBe('bundle-malformed');
  });

  test('confirms a key, never a certificate', () => {
    const x5t = { 'x5t#S256': toBase64url(nodeCrypto.hash('sha256', ecKey('enclave').spki)) };
    expect(codeOf({ statement: (s) => ({ ...s, cnf: x5t }) })).toBe('confirmation-form');
  });

  test('is of the node whose attestation key signed', () => {
    expect(codeOf({ statement: (s) => ({ ...s, pod: { ...s.pod, node: 'node-2' } }) })).toBe('node-differs');
  });
});
