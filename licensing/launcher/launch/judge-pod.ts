import { compareSidecar } from '../../../injection/compare-sidecar.ts';
import type { Pod as InjectionPod } from '../../../injection/pod.ts';
import type { EnclaveProfile } from '../../../injection/profile.ts';
import type { InjectedSidecar } from '../../../injection/read-sidecar.ts';
import { expectedSpecSha256, specSha256 } from '../../../injection/spec-sha256.ts';
import { nodeCrypto } from '../../../platform/crypto/node-crypto.ts';
import type { Pod } from '../../../platform/kube/resources.ts';
import { LaunchFailure } from '../launch-failure.ts';

export interface SidecarExpectation {
  readonly sidecarImage: string;
  /** Images of the release before: an enclave that was launched with one stays one. */
  readonly formerSidecarImages: readonly string[];
  readonly enclaveDomain: string;
  /** Is this text of roots one that the trust document names? */
  readonly acceptsRoots: (roots: string) => boolean;
}

export interface WantedPod {
  readonly enclave: string;
  readonly namespace: string;
  readonly ownerKeySha256: string;
  readonly profile: EnclaveProfile;
}

/** The reason why a running pod's evidence is handed to nobody: it is not this enclave's, or has not its sidecar. Undefined when it may be. Pure. */
export function whyNotHandedOut(
  pod: Pod,
  enclave: string,
  expected: SidecarExpectation,
): LaunchFailure | undefined {
  const sidecar = sidecarOf(pod, expected, [expected.sidecarImage, ...expected.formerSidecarImages]);
  if (sidecar instanceof LaunchFailure) return sidecar;
  return sidecar.enclave === enclave
    ? undefined
    : new LaunchFailure('pod-differs', `the pod of enclave ${enclave} serves another`);
}

/** The reason why this pod is not the one wanted, byte for byte of what decides which code runs; undefined when it is. Pure. */
export function whyNotThis(
  pod: Pod,
  wanted: WantedPod,
  expected: SidecarExpectation,
): LaunchFailure | undefined {
  const { enclaveDomain, sidecarImage } = expected;
  const sidecar = sidecarOf(pod, expected, [sidecarImage]);
  if (sidecar instanceof LaunchFailure) return sidecar;
  const { enclave, ownerKeySha256, roots } = sidecar;
  if (enclave !== wanted.enclave || ownerKeySha256 !== wanted.ownerKeySha256)
    return new LaunchFailure('pod-differs', `a pod named ${wanted.enclave} serves another enclave or owner`);
  const computed = expectedSpecSha256(wanted.profile, wanted, {
    crypto: nodeCrypto,
    sidecarImage,
    roots,
    enclaveDomain,
  });
  if (!computed.ok) return new LaunchFailure('profile-invalid', computed.message);
  if (specSha256(nodeCrypto, (pod as InjectionPod).spec ?? {}) !== computed.value)
    return new LaunchFailure(
      'pod-differs',
      'the pod is not what the profile says: the profile has changed, or something in the cluster changed the pod',
    );
  return undefined;
}

function sidecarOf(
  pod: Pod,
  { enclaveDomain, acceptsRoots }: SidecarExpectation,
  sidecarImages: readonly string[],
): InjectedSidecar | LaunchFailure {
  const compared = compareSidecar(pod as InjectionPod, { enclaveDomain, sidecarImages, acceptsRoots });
  if (compared.ok) return compared.value;
  const { namespace } = pod.metadata ?? {};
  return compared.code === 'sidecar-missing'
    ? new LaunchFailure(
        'sidecar-missing',
        `nothing injected a sidecar in namespace ${namespace}: ${compared.message}`,
      )
    : new LaunchFailure('sidecar-differs', compared.message);
}
