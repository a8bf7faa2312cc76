import { sleep } from '../../../platform/run/sleep.ts';
import { Failure } from '../../failure.ts';

export interface AskAfterEndOptions {
  /** Asks the enclave whether it lets us in. @throws Failure of kind `not-allowed` when it does not */
  ask(): Promise<void>;
  /** Why it does not, and will not by itself. */
  onOver(reason: Failure): void;
  /** Why it does not for now. */
  onTrouble(reason: Failure): void;
  readonly signal: AbortSignal;
}

/** An app that ends each connection after an answer is the rule: one question stands for many ends. */
const PAUSE_MS = 2_000;
/** What the enclave waits for itself. */
const PASSES: ReadonlySet<string> = new Set(['trust-document-missing', 'trust-document-stale']);

/**
 * A connection that the enclave ends says nothing of why. This asks for it: at once after the first end, and then not more often than every two
 * seconds. That nobody can be asked is not told here: whoever connects next finds out.
 * @returns what to call when the enclave ended a connection
 */
export function createAskAfterEnd({ ask, onOver, onTrouble, signal }: AskAfterEndOptions): () => void {
  let asking = false;
  let again = false;
  const run = async (): Promise<void> => {
    asking = true;
    do {
      again = false;
      await ask().catch((error: unknown) => {
        if (signal.aborted || !(error instanceof Failure) || error.kind !== 'not-allowed') return;
        if (PASSES.has(error.code)) onTrouble(error);
        else onOver(error);
      });
      await sleep(PAUSE_MS, signal);
    } while (again && !signal.aborted);
    asking = false;
  };
  return () => {
    if (asking) again = true;
    else void run();
  };
}
