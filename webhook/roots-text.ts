import { parseRoots } from '../formats/evidence/roots.ts';

/** Of the ConfigMap's one key, and of an environment variable that every pod carries. */
export const ROOTS_BOUND = 64 * 1024;

/** Why the text is not what may go into a pod; undefined when it is. Each role must have a root: an empty set refuses. */
export function rootsAreGood(text: string): string | undefined {
  const roots = parseRoots(text);
  if (!roots.ok) return roots.message;
  const empty = Object.entries(roots.value).find(([, set]) => set.length === 0);
  return empty === undefined ? undefined : `the issuer ${empty[0]} has no root`;
}
