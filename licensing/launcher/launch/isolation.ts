import { parseUpstream } from '../../../injection/upstream.ts';
import { canConnect } from '../../../platform/net/can-connect.ts';
import { sleep } from '../../../platform/run/sleep.ts';
import { LaunchFailure } from '../launch-failure.ts';

const ATTEMPTS = 3;
const PAUSE_MS = 1000;

/**
 * Tries to reach the app past the sidecar, as anything in the cluster could: for a TCP upstream the dial of the pod's address and upstream port must fail.
 * A network policy may take a moment, so the app is called reachable only when it is so three times in a row. A `unix:` upstream needs no probe.
 * @returns a sentence for the phase
 * @throws LaunchFailure `not-isolated`; or the signal's reason
 */
export async function checkIsolation(
  upstream: string,
  podIp: string,
  localAddress: string,
  signal: AbortSignal,
): Promise<string> {
  const parsed = parseUpstream(upstream);
  if (parsed?.kind === 'unix')
    return 'the app listens on a unix socket, which nothing outside the pod can reach';
  if (parsed === undefined)
    throw new LaunchFailure('not-isolated', `upstream "${upstream}" is in no form known here`);
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    if (!(await canConnect(podIp, parsed.port, localAddress, signal)))
      return `nothing reaches ${podIp}:${parsed.port} past the sidecar`;
    if (attempt < ATTEMPTS) await sleep(PAUSE_MS, signal);
    signal.throwIfAborted();
  }
  throw new LaunchFailure(
    'not-isolated',
    `the app can be reached past the sidecar at ${podIp}:${parsed.port}`,
  );
}
