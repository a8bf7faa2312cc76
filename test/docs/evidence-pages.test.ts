import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import * as oids from '../../names/oids.ts';
import { withEvidenceExample } from '../../tools/evidence-example.ts';
import { CHECKS } from '../../verify/check-names.ts';
import type { Vector } from '../support/vector.ts';
import { exportVector } from '../support/verify-sh.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const format = read('docs/evidence-format.md');
const good: Vector = JSON.parse(read('test/vectors/evidence/good.json'));

test('the worked example is what make generate makes of the vector', () => {
  expect(withEvidenceExample(format, good)).toBe(format);
});

test('the page of formats gives the object identifiers that the code uses', () => {
  expect(format).toContain(`\`${oids.ENCLAVE_LICENSING_ARC}\``);
  for (const [name, oid, words] of [
    ['OID_EVIDENCE_CONTENT', oids.OID_EVIDENCE_CONTENT, 'evidence content'],
    ['OID_ENCLAVE_BINDING', oids.OID_ENCLAVE_BINDING, 'enclave binding'],
    ['OID_TPM_TRUST', oids.OID_TPM_TRUST, 'TPM trust'],
    ['OID_USER_BINDING', oids.OID_USER_BINDING, 'user binding'],
  ] as const)
    expect(format, name).toContain(`| \`${oid.slice(oids.ENCLAVE_LICENSING_ARC.length)}\` | ${words}`);
});

test('its table of checks has every check, in the order of the verdict', () => {
  const [, table = ''] = format.split('\n## Checks\n');
  const listed = [...table.matchAll(/^\| `([a-z0-9-]+)` \|/gm)].map(([, name]) => name);
  expect(listed).toEqual(Object.keys(CHECKS));
});

test('the program of verify.md type-checks as it stands, and accepts a good export and no other', () => {
  const [, program = ''] = /^```ts\n(.*?)^```$/ms.exec(read('docs/verify.md')) ?? [];
  const project = mkdtempSync(join(tmpdir(), 'verify-page-'));
  try {
    mkdirSync(join(project, 'node_modules', '@types'), { recursive: true });
    symlinkSync(root, join(project, 'node_modules', 'enclave-licensing'));
    symlinkSync(join(root, 'node_modules/@types/node'), join(project, 'node_modules/@types/node'));
    writeFileSync(join(project, 'package.json'), '{"type": "module"}');
    writeFileSync(join(project, 'verify.ts'), program);
    const options = ['--strict', '--noEmit', '--skipLibCheck', '--module', 'nodenext', '--target', 'es2024'];
    execFileSync(join(root, 'node_modules/.bin/tsc'), [...options, '--types', 'node', 'verify.ts'], {
      cwd: project,
      stdio: 'pipe',
    });
    exportVector(join(project, 'evidence'), good);
    const run = (now: number) =>
      execFileSync(process.execPath, ['verify.ts', 'evidence', `${now}`], {
        cwd: project,
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'pipe'],
      });
    expect(run(good.context.now)).toMatch(/^true quote-signature /m);
    expect(() => run(good.context.now + 86_400)).toThrow();
  } finally {
    rmSync(project, { recursive: true, force: true });
  }
});
