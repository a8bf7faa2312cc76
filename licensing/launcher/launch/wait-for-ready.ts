import { SIDECAR_CONTAINER } from '../../../names/sidecar.ts';
import type { Pod } from '../../../platform/kube/resources.ts';
import { sleep } from '../../../platform/run/sleep.ts';
import { Phase } from '../../../proto/gen/enclave_licensing/licensing/v1/licensing.ts';
import { phaseName } from '../../codes/phase-name.ts';
import { LaunchFailure } from '../launch-failure.ts';
import type { LauncherWorld } from '../launcher-world.ts';
import { lastWords } from '../pods/last-words.ts';
import { podStanding } from './pod-standing.ts';

export interface Reached {
  readonly phase: Phase;
  readonly message: string;
}

const LOOK_AGAIN_MS = 5000;

/**
 * Follows a created pod and yields each phase once, CREATED first and ATTESTED last; returns the pod when it is ready.
 * @throws LaunchFailure when it cannot become so any more, or the time is over (`timeout` aborts)
 */
export async function* waitForReady(
  { kube, view, releaseNamespace }: Pick<LauncherWorld, 'kube' | 'view' | 'releaseNamespace'>,
  created: Pod,
  timeout: AbortSignal,
  signal: AbortSignal,
): AsyncGenerator<Reached, Pod> {
  const { namespace = '', name = '', uid = '' } = created.metadata ?? {};
  const either = AbortSignal.any([timeout, signal]);
  let changed = Promise.withResolvers<void>();
  const stop = view.onChange({ namespace, name, uid }, () => changed.resolve());
  let pod = created;
  let seen = false;
  let told: Phase = Phase.PHASE_SEAT;
  try {
    for (;;) {
      changed = Promise.withResolvers();
      const current = view.pod(namespace, name);
      if (current?.metadata?.uid === uid && current !== undefined) {
        pod = current;
        seen = true;
      } else if (seen)
        throw new LaunchFailure('pod-gone', `pod ${namespace}/${name} was deleted by somebody else`);
      const standing = podStanding(pod, view.requestsOf(uid), releaseNamespace);
      for (const phase of PHASES)
        if (phase > told && phase <= standing.phase) {
          told = phase;
          yield { phase, message: sentence(phase, pod) };
        }
      if (standing.failure !== undefined) {
        const { code, reason, lastWordsOf } = standing.failure;
        const words = lastWordsOf && (await lastWords(kube, pod, lastWordsOf, either));
        throw new LaunchFailure(code, words ? `${reason}; it said last: ${words}` : reason);
      }
      if (standing.ready) return pod;
      if (timeout.aborted) {
        const words =
          standing.phase === Phase.PHASE_STARTED && (await lastWords(kube, pod, SIDECAR_CONTAINER, signal));
        throw new LaunchFailure(
          'launch-timeout',
          `not ready in time; the last phase reached was ${phaseName(told)}: ${standing.detail}${words ? `; the sidecar said last: ${words}` : ''}`,
        );
      }
      signal.throwIfAborted();
      const over = new AbortController();
      await Promise.race([changed.promise, sleep(LOOK_AGAIN_MS, AbortSignal.any([either, over.signal]))]);
      over.abort();
    }
  } finally {
    stop();
  }
}

const PHASES = [
  Phase.PHASE_CREATED,
  Phase.PHASE_STARTED,
  Phase.PHASE_CERTIFIED,
  Phase.PHASE_ATTESTED,
] as const;

function sentence(phase: (typeof PHASES)[number], pod: Pod): string {
  const node = pod.spec?.nodeName;
  switch (phase) {
    case Phase.PHASE_CREATED:
      return `pod ${pod.metadata?.namespace}/${pod.metadata?.name} created, with its sidecar`;
    case Phase.PHASE_STARTED:
      return `the sidecar runs${node === undefined ? '' : ` on node ${node}`}`;
    case Phase.PHASE_CERTIFIED:
      return 'the sidecar’s key is certified';
    case Phase.PHASE_ATTESTED:
      return 'the node’s TPM has quoted the certificate';
  }
}
