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
const INSTALLED = 'ENCLAVE_TEST_INSTALLED';
/** Suites of other targets: make e2e, test-postgres, test-cluster, test-images. */
const OTHERS = /^test\/(installed|postgres|kubernetes|images\/built)\//;

/** Every suite that can talk to a real API server: those that read one of the two variables, or import who does. */
export function apiServerSuites(): Suite[] {
  return suites()
    .filter((file) => !OTHERS.test(file))
    .flatMap((file) =>
      reads(file, GIVEN) || reads(file, OWN) ? [{ file, takesKubeconfig: reads(file, GIVEN) }] : [],
    );
}

/** Every suite that can stand on an installed product: `make e2e`. */
export function installedSuites(): string[] {
  return suites().filter((file) => /^test\/(e2e|installed)\//.test(file) && reads(file, INSTALLED));
}

function suites(): string[] {
  return globSync('test/**/*.test.ts').sort();
}

function reads(file: string, variable: string): boolean {
  return [...reach(file, new Set())].some((each) => readFileSync(each, 'utf8').includes(variable));
}

/** The file and all of test/ and tools/cluster/ that it imports, directly or not. */
function reach(file: string, seen: Set<string>): Set<string> {
  if (seen.has(file) || !/^(test|tools\/cluster)\//.test(file) || !existsSync(file)) return seen;
  seen.add(file);
  for (const [, specifier] of readFileSync(file, 'utf8').matchAll(/from '(\.[^']+)'/g))
    if (specifier !== undefined) reach(normalize(join(dirname(file), specifier)), seen);
  return seen;
}
