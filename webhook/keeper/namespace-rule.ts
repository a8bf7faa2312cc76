import { type Result, refuse, success } from '../../formats/bytes/result.ts';
import { ENABLED, INJECTION_LABEL } from '../../names/labels.ts';

export type NamespaceCode = 'enclaves-running' | 'enclaves-unknown';

/** An update of a namespace: its labels before and after. */
export interface NamespaceChange {
  readonly name: string;
  readonly before: Readonly<Record<string, unknown>>;
  readonly after: Readonly<Record<string, unknown>>;
}

/** The enclave pods that run, by namespace. */
export interface Census {
  /** Whether it can be believed: false until the first list, and while the API server is away. */
  current(): boolean;
  /** Names of the enclave pods of a namespace that have not ended. */
  running(namespace: string): readonly string[];
}

const NAMED = 5;

/**
 * Whether a namespace may lose its label: not while enclaves run in it, because `exec`, `attach` and `port-forward` into them are refused by that label. Any
 * other change passes. A census that is not current refuses: "none seen" is not "none there".
 */
export function judgeNamespace(
  { name, before, after }: NamespaceChange,
  census: Census,
  excludedNamespaces: readonly string[],
): Result<undefined, NamespaceCode> {
  if (before[INJECTION_LABEL] !== ENABLED || after[INJECTION_LABEL] === ENABLED) return success(undefined);
  if (excludedNamespaces.includes(name)) return success(undefined);
  if (!census.current())
    return refuse(
      'enclaves-unknown',
      `the webhook does not know at this moment how many enclaves run in namespace ${name}, and while any does the label ${INJECTION_LABEL} stays`,
      'Try again in a few seconds; if it stays so, look at the log of enclave-webhook.',
    );
  const running = census.running(name);
  if (running.length === 0) return success(undefined);
  const named = running.slice(0, NAMED).join(', ');
  const more = running.length > NAMED ? ` and ${running.length - NAMED} more` : '';
  return refuse(
    'enclaves-running',
    `${running.length} enclave pod${running.length === 1 ? ' runs' : 's run'} in namespace ${name} (${named}${more}): without the label ${INJECTION_LABEL} they would lose its protection`,
    'Stop them first: enclavectl stop for launched ones, delete the workload of the others; or delete the namespace.',
  );
}
