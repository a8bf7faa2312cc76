import { expect, test } from 'vitest';
import { connectionLimits } from '../../sidecar/serve/connection-limits.ts';

const MEBIBYTE = 1024 * 1024;

test.each([
  ['the default memory', undefined, 128, { total: 341, perUser: 255, handshakes: 85 }],
  ['less than the process itself needs', undefined, 48, { total: 64, perUser: 48, handshakes: 16 }],
  ['no limit of memory', undefined, 0, { total: 4096, perUser: 3072, handshakes: 1024 }],
  ['a number from the operator', 1, 128, { total: 1, perUser: 1, handshakes: 1 }],
])('places by %s', (_name, configured, mebibytes, limits) => {
  expect(connectionLimits(configured, mebibytes * MEBIBYTE)).toEqual(limits);
});
