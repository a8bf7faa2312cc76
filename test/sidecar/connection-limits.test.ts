import { expect, test } from 'vitest';
import { connectionLimits } from '../../sidecar/serve/connection-limits.ts';

const MEBIBYTE = 1024 * 1024;

test.each([
  [
    'the default memory, tcp',
    undefined,
    128,
    'tcp',
    { total: 142, perUser: 106, handshakes: 35, evidence: 35, unheld: 35 },
    40,
  ],
  [
    'the default memory, http',
    undefined,
    128,
    'http',
    { total: 292, perUser: 219, handshakes: 73, evidence: 73, unheld: 73 },
    32,
  ],
  [
    'less than the process needs',
    undefined,
    48,
    'http',
    { total: 64, perUser: 48, handshakes: 16, evidence: 16, unheld: 16 },
    7,
  ],
  [
    'no limit of memory',
    undefined,
    0,
    'http',
    { total: 4096, perUser: 3072, handshakes: 1024, evidence: 256, unheld: 1024 },
    2368,
  ],
  [
    'a number from the operator',
    1,
    128,
    'tcp',
    { total: 1, perUser: 1, handshakes: 1, evidence: 1, unheld: 1 },
    0.58,
  ],
] as const)('places by %s', (_name, configured, mebibytes, mode, limits, memory) => {
  const found = connectionLimits(configured, mebibytes * MEBIBYTE, mode);
  expect(found).toMatchObject(limits);
  expect(found.memory / MEBIBYTE).toBeGreaterThan(memory * 0.95);
  expect(found.memory / MEBIBYTE).toBeLessThanOrEqual(memory);
});
