import { launchedPod } from '../../../injection/launched-pod.ts';
import { ENCLAVE_LABEL } from '../../../names/labels.ts';
import type { Kube } from '../../../platform/kube/kube.ts';
import { isKubeError } from '../../../platform/kube/kube-error.ts';
import { PODS, type Pod } from '../../../platform/kube/resources.ts';
import { createBackoff } from '../../../platform/run/backoff.ts';
import { explain } from '../../../platform/run/explain.ts';
import { LaunchFailure } from '../launch-failure.ts';
import { judgeCreateFailure } from './create-failure.ts';
import { type SidecarExpectation, type WantedPod, whyNotThis } from './judge-pod.ts';

/**
 * Creates the enclave's pod, or adopts the one that is there, and checks that it is what was wanted with the sidecar of this release: one without is
 * removed at once and handed out to nobody.
 * @throws LaunchFailure; or the signal's reason
 */
export async function ensurePod(
  kube: Kube,
  wanted: WantedPod,
  expected: SidecarExpectation,
  signal: AbortSignal,
  onTrouble: (reason: string) => void,
): Promise<Pod> {
  const pod = await createOrAdopt(kube, wanted, signal, onTrouble);
  // Whatever front calls an enclave: a pod that is no launched enclave of this id is neither adopted nor removed.
  if (pod.metadata?.labels?.[ENCLAVE_LABEL] !== wanted.enclave)
    throw new LaunchFailure(
      'pod-differs',
      `a pod named ${wanted.enclave} is there already, and is another’s`,
    );
  const failure = whyNotThis(pod, wanted, expected);
  if (failure === undefined) return pod;
  const { namespace = '', name = '', uid } = pod.metadata ?? {};
  try {
    await kube.delete(PODS, { namespace, name }, { ...(uid && { uid }) });
  } catch (error) {
    // Another replica removed it, and there is a successor of its name.
    if (!isKubeError(error, 'Conflict')) throw error;
  }
  throw failure;
}

/** A replica of the webhook that has died is called until the cluster has noticed, some two seconds later: that is no reason to fail a launch. */
const UNCALLED_MS = 5_000;

async function createOrAdopt(
  kube: Kube,
  wanted: WantedPod,
  signal: AbortSignal,
  onTrouble: (reason: string) => void,
): Promise<Pod> {
  const backoff = createBackoff(100, 5000);
  const { enclave, namespace } = wanted;
  // The client's model is the API's; injection reads a part of it.
  const object = launchedPod(wanted.profile, wanted) as Pod;
  let uncalledSince: number | undefined;
  for (;;) {
    signal.throwIfAborted();
    try {
      const there = await kube.get(PODS, { namespace, name: enclave }, signal);
      return there ?? (await kube.create(PODS, object));
    } catch (error) {
      signal.throwIfAborted();
      const meaning = judgeCreateFailure(error);
      if (meaning === 'uncalled') uncalledSince ??= performance.now();
      const tooLong = uncalledSince !== undefined && performance.now() - uncalledSince > UNCALLED_MS;
      if (meaning === 'refused' || (meaning === 'uncalled' && tooLong))
        throw new LaunchFailure('pod-refused', `the API server refused the pod: ${explain(error)}`);
      if (meaning !== 'exists') {
        onTrouble(`the API server cannot create the pod now: ${explain(error)}`);
        await backoff.wait(signal);
      }
    }
  }
}
