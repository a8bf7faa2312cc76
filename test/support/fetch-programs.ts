import { helmPath } from './helm.ts';
import { kubectlPath } from './kubectl-path.ts';

/** Vitest's global set-up: what is fetched when it is missing is fetched once, and in no test's time. */
export default async function fetchPrograms(): Promise<void> {
  await helmPath();
  await kubectlPath();
}
