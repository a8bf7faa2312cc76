import { toHex } from '../../formats/bytes/bytes.ts';
import { parseRoots, type Roots } from '../../formats/evidence/roots.ts';
import type { Live } from '../../platform/run/live.ts';

const MAX_ANSWERS = 64;

/**
 * Whether a running sidecar's roots are ours: each of them is in the set that is injected now. A rotation adds a root before it takes the old one away, so
 * this holds until the pod trusts a root that is retired. (The agent asks for more: a set that a trust document has named.)
 */
export function knownRoots(current: Live<string>): (text: string) => boolean {
  let of: string | undefined;
  let held = new Set<string>();
  const answers = new Map<string, boolean>();
  return (text) => {
    if (of !== current.current()) {
      of = current.current();
      held = members(of);
      answers.clear();
    }
    const known = text === of || (answers.get(text) ?? judge(text, held));
    if (answers.size >= MAX_ANSWERS) answers.clear();
    answers.set(text, known);
    return known;
  };
}

function judge(text: string, held: ReadonlySet<string>): boolean {
  const asked = members(text);
  return asked.size > 0 && [...asked].every((each) => held.has(each));
}

/** Role and certificate of each root; empty for what is no set of roots. */
function members(text: string): Set<string> {
  const roots = parseRoots(text);
  if (!roots.ok) return new Set();
  return new Set(
    (Object.keys(roots.value) as (keyof Roots)[]).flatMap((role) =>
      roots.value[role].map((certificate) => `${role} ${toHex(certificate)}`),
    ),
  );
}
