import { globSync } from 'node:fs';
import { expect, test } from 'vitest';
import { apiServerSuites, installedSuites } from '../../tools/kubernetes/suites.ts';

test('make e2e runs every suite that needs an installed product, and the end-to-end suites', () => {
  const chosen = installedSuites();
  expect(chosen).toEqual(expect.arrayContaining(globSync('test/installed/*.test.ts')));
  // It needs no product, only an agent: what the real kubelet does is tried by test/installed/workloads.test.ts.
  const alone = globSync('test/e2e/*.test.ts').filter((file) => !chosen.includes(file));
  expect(alone).toEqual(['test/e2e/start-stop.test.ts']);
});

test('make test-kube runs the contract of API servers on the real one, and nothing that other targets run', () => {
  const files = apiServerSuites().map(({ file }) => file);
  expect(files).toEqual(expect.arrayContaining(globSync('test/contract/api-server*.test.ts')));
  expect(files.filter((file) => /^test\/(installed|postgres|kubernetes|images\/built)\//.test(file))).toEqual(
    [],
  );
});
