import { globSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

test('a file with a service holds nothing else, so that importers of a message do not load gRPC', () => {
  const files = globSync('proto/enclave_licensing/**/*.proto');
  const mixed = files.filter((file) => {
    const text = readFileSync(file, 'utf8');
    return /^service /m.test(text) && /^(message|enum) /m.test(text);
  });
  expect(files.length).toBeGreaterThan(8);
  expect(mixed).toEqual([]);
});
