/** Runs vitest and closes with the line `N passed, N failed`, whatever the reporter of the day prints. Arguments: file filters; `--long` for the long suites, `--postgres` for those that need PostgreSQL, `--machine` for those that take the machine, `--installed` for those that need an installed product, `--images` for those over dist/images. */
import { startVitest } from 'vitest/node';

const filters = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
const chosen = ['long', 'postgres', 'machine', 'installed', 'images'].filter((name) =>
  process.argv.includes(`--${name}`),
);
const project = chosen.length > 0 ? chosen : ['rooms', 'cluster'];
const vitest = await startVitest('test', filters, { run: true, watch: false, project });
await vitest.close();
let passed = 0;
let failed = 0;
let skipped = 0;
for (const module of vitest.state.getTestModules()) {
  // A module that cannot be collected has no tests; it is a failure all the same.
  if (module.state() === 'failed' && [...module.children.allTests('failed')].length === 0) failed += 1;
  for (const test of module.children.allTests()) {
    const state = test.result().state;
    if (state === 'passed') passed += 1;
    else if (state === 'failed') failed += 1;
    else skipped += 1;
  }
}
const unhandled = vitest.state.getUnhandledErrors().length;
console.log(`${passed} passed, ${failed + unhandled} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
// Skipped tests prove nothing: they count as a failure of the run.
process.exit(failed + unhandled + skipped > 0 || passed === 0 ? 1 : 0);
