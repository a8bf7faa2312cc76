import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { VERSION } from '../../names/version.ts';
import packageJson from '../../package.json' with { type: 'json' };

test('the release has one version', () => {
  expect(packageJson.version).toBe(VERSION);
});

test.each([
  ['sidecar/main.ts', 'enclave-sidecar'],
  ['client/command/main.ts', 'enclavectl'],
])('%s says it and ends', (entry, program) => {
  const told = execFileSync(process.execPath, [entry, '--version'], { encoding: 'utf8' });
  expect(told).toBe(`${program} ${VERSION}\n`);
});
