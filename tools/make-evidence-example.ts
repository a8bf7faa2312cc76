import { readFileSync, writeFileSync } from 'node:fs';
import { withEvidenceExample } from './evidence-example.ts';

// Writes the worked example of docs/evidence-format.md anew: a part of make generate, and a test compares.
const page = new URL('../docs/evidence-format.md', import.meta.url);
const vector = new URL('../test/vectors/evidence/good.json', import.meta.url);
writeFileSync(
  page,
  withEvidenceExample(readFileSync(page, 'utf8'), JSON.parse(readFileSync(vector, 'utf8'))),
);
