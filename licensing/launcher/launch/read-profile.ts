import { type EnclaveProfile, parseProfile } from '../../../injection/profile.ts';
import type { Kube } from '../../../platform/kube/kube.ts';
import { customResource } from '../../../platform/kube/resources.ts';
import type { KubeObject } from '../../../platform/kube/wire.ts';
import { LaunchFailure } from '../launch-failure.ts';

interface ProfileObject extends KubeObject {
  spec?: unknown;
}

const ENCLAVE_PROFILES = customResource<ProfileObject>(
  'enclave-licensing.dev/v1alpha1',
  'EnclaveProfile',
  'enclaveprofiles',
  true,
);

export interface FoundProfile {
  readonly namespace: string;
  readonly profile: EnclaveProfile;
  /** The spec as the API server has it, JSON: what the client computes from. */
  readonly specJson: string;
}

/**
 * The profile of that name in the first of the namespaces that has one; its pods are created in the same namespace.
 * @throws LaunchFailure `profile-unknown` or `profile-invalid`; other errors may pass
 */
export async function readProfile(
  kube: Kube,
  namespaces: readonly string[],
  name: string,
  signal: AbortSignal,
): Promise<FoundProfile> {
  for (const namespace of namespaces) {
    const object = await kube.get(ENCLAVE_PROFILES, { namespace, name }, signal);
    if (object === undefined) continue;
    const profile = parseProfile(object.spec);
    if (!profile.ok)
      throw new LaunchFailure('profile-invalid', `profile ${namespace}/${name}: ${profile.message}`);
    return { namespace, profile: profile.value, specJson: JSON.stringify(object.spec) };
  }
  throw new LaunchFailure('profile-unknown', `there is no profile "${name}"`);
}
