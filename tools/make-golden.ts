import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { DECISION, GOLDEN_FOLDER, goldenDecision, goldenPods } from '../test/injection/golden-pods.ts';

// Writes test/golden/injection/*.decision.yaml anew from the pods beside them: node tools/make-golden.ts. A test compares; a person
// reads the difference before it is committed.
for (const file of readdirSync(GOLDEN_FOLDER))
  if (file.endsWith(DECISION)) rmSync(new URL(file, GOLDEN_FOLDER));
const pods = goldenPods();
for (const golden of pods)
  writeFileSync(new URL(`${golden.name}${DECISION}`, GOLDEN_FOLDER), goldenDecision(golden));
console.log(`${pods.length} decisions`);
