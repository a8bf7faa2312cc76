import { readFileSync, writeFileSync } from 'node:fs';
import { withPolicyReference } from './policy-resource.ts';

// Writes the generated part of charts/licensing/files/crds.yaml anew: a part of make generate, and a test compares.
const file = new URL('../charts/licensing/files/crds.yaml', import.meta.url);
const schema = new URL('../verify/policy/schema.json', import.meta.url);
writeFileSync(
  file,
  withPolicyReference(readFileSync(file, 'utf8'), JSON.parse(readFileSync(schema, 'utf8'))),
);
