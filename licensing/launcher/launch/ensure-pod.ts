import { compareSidecar } from '../../../injection/compare-sidecar.ts';
import { launchedPod } from '../../../injection/launched-pod.ts';
import type { Pod as InjectionPod } from '../../../injection/pod.ts';
import type { EnclaveProfile } from '../../../injection/profile.ts';
import { expectedSpecSha256, specSha256 } from '../../../injection/spec-sha256.ts';
import { ENCLAVE_LABEL } from '../../../names/labels.ts';
import { nodeCrypto } from '../../../platform/crypto/node-crypto.ts';
import type { Kube } from '../../../platform/kube/kube.ts';
import { PODS, type Pod } from '../../../platform/kube/resources.ts';
import { createBackoff } from '../../../platform/run/backoff.ts';
import { explain } from '../../../platform/run/explain.ts';
import { LaunchFailure } from '../launch-failure.ts';
import { judgeCreateFailure } from './create-failure.ts';

export interface SidecarExpectation {
  readonly sidecarImage: string;
  readonly enclaveDomain: string;
  /** Is this text of roots one that the trust document names? */
  acceptsRoots(roots: string): boolean;
}

export interface WantedPod {
  readonly enclave: string;
  readonly namespace: string;
  readonly ownerKeySha256: string;
  readonly profile: EnclaveProfile;
}

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
  await kube.delete(PODS, { namespace, name }, { ...(uid && { uid }) });
  throw failure;
}

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
  for (;;) {
    signal.throwIfAborted();
    try {
      const there = await kube.get(PODS, { namespace, name: enclave }, signal);
      return there ?? (await kube.create(PODS, object));
    } catch (error) {
      signal.throwIfAborted();
      const meaning = judgeCreateFailure(error);
      if (meaning === 'refused')
        throw new LaunchFailure('pod-refused', `the API server refused the pod: ${explain(error)}`);
      if (meaning === 'again') {
        onTrouble(`the API server cannot create the pod now: ${explain(error)}`);
        await backoff.wait(signal);
      }
    }
  }
}

/** Pure: the reason why this pod is not the one wanted. */
function whyNotThis(pod: Pod, wanted: WantedPod, expected: SidecarExpectation): LaunchFailure | undefined {
  const seen = pod as InjectionPod;
  const { enclaveDomain, sidecarImage } = expected;
  const sidecar = compareSidecar(seen, {
    enclaveDomain,
    sidecarImages: [sidecarImage],
    acceptsRoots: (roots) => expected.acceptsRoots(roots),
  });
  if (!sidecar.ok)
    return new LaunchFailure(
      sidecar.code === 'sidecar-missing' ? 'sidecar-missing' : 'sidecar-differs',
      sidecar.code === 'sidecar-missing'
        ? `nothing injected a sidecar in namespace ${wanted.namespace}: ${sidecar.message}`
        : sidecar.message,
    );
  const { enclave, ownerKeySha256, roots } = sidecar.value;
  if (enclave !== wanted.enclave || ownerKeySha256 !== wanted.ownerKeySha256)
    return new LaunchFailure('pod-differs', `a pod named ${wanted.enclave} serves another enclave or owner`);
  const computed = expectedSpecSha256(wanted.profile, wanted, {
    crypto: nodeCrypto,
    sidecarImage,
    roots,
    enclaveDomain,
  });
  if (!computed.ok) return new LaunchFailure('profile-invalid', computed.message);
  if (specSha256(nodeCrypto, seen.spec ?? {}) !== computed.value)
    return new LaunchFailure(
      'pod-differs',
      'the pod is not what the profile says: the profile has changed, or something in the cluster changed the pod',
    );
  return undefined;
}
