import { KubeError } from '../../../platform/kube/kube-error.ts';
import { createBackoff } from '../../../platform/run/backoff.ts';
import { explain } from '../../../platform/run/explain.ts';
import { LaunchFailure } from '../launch-failure.ts';
import { isPassing } from './create-failure.ts';

/**
 * Does it until it is done: trouble that may pass (a server that is away, overloaded, restarting) is waited out until the signal aborts.
 * @throws LaunchFailure at once; the API server's refusals as one; the signal's reason
 */
export async function persist<T>(
  action: () => Promise<T>,
  signal: AbortSignal,
  onTrouble: (reason: string) => void,
): Promise<T> {
  const backoff = createBackoff(100, 5000);
  for (;;) {
    signal.throwIfAborted();
    try {
      return await action();
    } catch (error) {
      if (error instanceof LaunchFailure) throw error;
      signal.throwIfAborted();
      if (error instanceof KubeError && !isPassing(error))
        throw new LaunchFailure('pod-refused', `the API server refused: ${error.message}`);
      onTrouble(explain(error));
      await backoff.wait(signal);
    }
  }
}
