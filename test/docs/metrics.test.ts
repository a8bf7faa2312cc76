import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { metricsOf } from '../support/metrics-of.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const PAGES = {
  agent: 'docs/agent.md',
  certs: 'docs/certs.md',
  licensing: 'docs/licensing.md',
  sidecar: 'docs/sidecar.md',
  webhook: 'docs/injection.md',
};

test.each(Object.entries(PAGES))(
  '%s: its page names every metric, and none that is not there',
  (room, page) => {
    const names = metricsOf(room);
    expect(names.length).toBeGreaterThan(5);
    const text = readFileSync(join(root, page), 'utf8');
    expect(names.filter((name) => !new RegExp(`\\b(?:enclave_\\w+_)?${name}\\b`).test(text))).toEqual([]);
    const prefixed = room === 'licensing' ? '(?:front|launcher)' : room;
    const said = [...text.matchAll(new RegExp(`\\benclave_${prefixed}_(\\w*\\w)`, 'g'))].map(
      ([, name]) => name,
    );
    expect(said.filter((name) => name !== '' && !names.includes(name ?? ''))).toEqual([]);
  },
);
