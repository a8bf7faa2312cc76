import type { Kube } from '../../../platform/kube/kube.ts';
import type { Pod } from '../../../platform/kube/resources.ts';

const MAX_WORDS = 300;

/** The last line that a container wrote, of the run before when this one has written nothing; empty when there is none to be had. */
export async function lastWords(
  kube: Kube,
  pod: Pod,
  container: string,
  signal: AbortSignal,
): Promise<string> {
  const { namespace, name } = pod.metadata ?? {};
  if (name === undefined || namespace === undefined) return '';
  for (const previous of [true, false]) {
    if (signal.aborted) return '';
    try {
      const text = await kube.log({ namespace, name }, { container, tailLines: 5, previous });
      const line = text
        .split('\n')
        .map((each) => each.trim())
        .filter((each) => each !== '')
        .at(-1);
      // Control characters of a log would reach a terminal.
      if (line !== undefined) return line.replace(/\p{Cc}/gu, ' ').slice(0, MAX_WORDS);
    } catch {
      // The reason stands without them.
    }
  }
  return '';
}
