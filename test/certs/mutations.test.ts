import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readRequest } from '../../certs/evaluate/request.ts';
import { parseTokenKeys } from '../../certs/trust/token-keys.ts';
import { SIGNERS } from '../../names/signers.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import { generateKey } from '../../platform/identity/key-pair.ts';
import { codeOf, csrOf, requestOf } from './support.ts';

const valid = csrOf(generateKey(), {
  dns: ['front.enclave-licensing.internal'],
  evidence: new Uint8Array(40),
});
const object = { signerName: SIGNERS.system, username: 'front', usages: [] };

test('a request with any byte changed, added or left out is refused, and nothing throws', () => {
  expect(codeOf(readRequest(nodeCrypto, requestOf(valid, object)))).toBe('ok');
  const change = fc.record({
    at: fc.nat(valid.length - 1),
    flip: fc.integer({ min: 1, max: 255 }),
    how: fc.constantFrom('flip', 'drop', 'insert'),
  });
  fc.assert(
    fc.property(change, ({ at, flip, how }) => {
      const bytes = [...valid];
      if (how === 'flip') bytes[at] = (bytes[at] ?? 0) ^ flip;
      else if (how === 'drop') bytes.splice(at, 1);
      else bytes.splice(at, 0, flip);
      const code = codeOf(readRequest(nodeCrypto, requestOf(Uint8Array.from(bytes), object)));
      expect(code).toMatch(/^request-(malformed|signature|key)$/);
    }),
    { numRuns: 500 },
  );
});

test('no text in place of a request or of a key set throws', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 300 }), (text) => {
      const request = { ...requestOf(valid, object), request: text };
      expect(codeOf(readRequest(nodeCrypto, request))).toBe('request-malformed');
      expect(codeOf(parseTokenKeys(text))).toBe('token-keys-invalid');
    }),
    { numRuns: 300 },
  );
  fc.assert(
    fc.property(fc.json({ maxDepth: 3 }), (json) => {
      expect(codeOf(parseTokenKeys(`{"keys":[${json}]}`))).toBe('token-keys-invalid');
    }),
    { numRuns: 300 },
  );
});
