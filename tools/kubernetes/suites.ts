import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';

/** What a suite asks of the API server it runs against. */
export interface Suite {
  readonly file: string;
  /** It takes the one that `ENCLAVE_TEST_KUBECONFIG` names; otherwise it starts clusters of its own. */
  readonly takesKubeconfig: boolean;
}

const GIVEN = 'ENCLAVE_TEST_KUBECONFIG';
const OWN = 'ENCLAVE_TEST_KUBERNETES_BIN';

/** Every suite that can talk to a real API server: those that read one of the two variables, or import who does. */
export function apiServerSuites(): Suite[] {
  return globSync('test/**/*.test.ts')
    .sort()
    .flatMap((file) => {
      const texts = [...reach(file, new Set())].map((each) => readFileSync(each, 'utf8'));
      const reads = (variable: string): boolean => texts.some((text) => text.includes(variable));
      return reads(GIVEN) || reads(OWN) ? [{ file, takesKubeconfig: reads(GIVEN) }] : [];
    });
}

/** The file and all of test/ and tools/cluster/ that it imports, directly or not. */
function reach(file: string, seen: Set<string>): Set<string> {
  if (seen.has(file) || !/^(test|tools\/cluster)\//.test(file) || !existsSync(file)) return seen;
  seen.add(file);
  for (const [, specifier] of readFileSync(file, 'utf8').matchAll(/from '(\.[^']+)'/g))
    if (specifier !== undefined) reach(normalize(join(dirname(file), specifier)), seen);
  return seen;
}
