import { expect, test } from 'vitest';
import { forwardedFields } from '../../client/library/session/forwarded-fields.ts';

test('fields of one connection stay behind, what Connection names too, but never what frames or routes', () => {
  const head = [
    ...['Host', 'app', 'X-One', '1', 'X-Enclave-Token', 'theirs', 'Content-Length', '4'],
    ...['Connection', 'x-one, Host, content-length', 'Keep-Alive', 'timeout=5', 'x-two', '2'],
  ];
  expect(forwardedFields(head)).toEqual(['Host', 'app', 'Content-Length', '4', 'x-two', '2']);
});
