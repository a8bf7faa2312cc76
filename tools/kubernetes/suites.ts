import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';

/** What a suite asks of the API server it runs against. */
export interface Suite {
  readonly file: string;
  /** It takes the one that `ENCLAVE_TEST_KUBECONFIG` names; otherwise it starts clusters of its own. */
  readonly takesKubeconfig: boolean;
}

const CLUSTER = 'test/support/cluster.ts';
const VARIABLE = 'ENCLAVE_TEST_KUBECONFIG';

/** Every suite that can talk to a real API server: those that reach the cluster's support, or read the variable. */
export function apiServerSuites(): Suite[] {
  return globSync('test/**/*.test.ts')
    .sort()
    .flatMap((file) => {
      const reached = reach(file, new Set());
      const takesKubeconfig = [...reached].some((each) => readFileSync(each, 'utf8').includes(VARIABLE));
      return takesKubeconfig || reached.has(CLUSTER) ? [{ file, takesKubeconfig }] : [];
    });
}

/** The file and all of test/ that it imports, directly or not. */
function reach(file: string, seen: Set<string>): Set<string> {
  if (seen.has(file) || !file.startsWith('test/') || !existsSync(file)) return seen;
  seen.add(file);
  for (const [, specifier] of readFileSync(file, 'utf8').matchAll(/from '(\.[^']+)'/g))
    if (specifier !== undefined) reach(normalize(join(dirname(file), specifier)), seen);
  return seen;
}
