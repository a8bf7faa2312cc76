import { readFileSync, writeFileSync } from 'node:fs';
import { withValuesTable } from './values-table.ts';

// Writes the table in charts/licensing/README.md anew from values.yaml: node tools/make-chart-readme.ts. A test compares.
const readme = new URL('../charts/licensing/README.md', import.meta.url);
const values = new URL('../charts/licensing/values.yaml', import.meta.url);
writeFileSync(readme, withValuesTable(readFileSync(readme, 'utf8'), readFileSync(values, 'utf8')));
