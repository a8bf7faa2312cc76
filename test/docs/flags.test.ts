import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { SIDECAR_ENV } from '../../names/sidecar.ts';
import { SIDECAR_OPTIONS } from '../../sidecar/options.ts';
import { WEBHOOK_OPTIONS } from '../../webhook/options.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

test.each([
  ['docs/injection.md', Object.keys(WEBHOOK_OPTIONS)],
  // The others come from annotations and the downward API.
  ['docs/sidecar.md', Object.keys(SIDECAR_OPTIONS).filter((name) => !(name in SIDECAR_ENV))],
])('%s: names every flag', (page, options) => {
  const text = readFileSync(join(root, page), 'utf8');
  const flags = options.map((name) => `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`);
  expect(flags.length).toBeGreaterThan(5);
  expect(flags.filter((flag) => !text.includes(`\`${flag}\``))).toEqual([]);
});
