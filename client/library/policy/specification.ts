import { canonicalJson } from '../../../formats/bytes/canonical-json.ts';
import { type Result, success } from '../../../formats/bytes/result.ts';
import { launchedPod } from '../../../injection/launched-pod.ts';
import { parseProfile } from '../../../injection/profile.ts';
import { projection } from '../../../injection/projection.ts';
import { injectedPod, specSha256 } from '../../../injection/spec-sha256.ts';
import { nodeCrypto } from '../../../platform/crypto/node-crypto.ts';

/** All that decides the specification of a launched enclave's pod. */
export interface Launched {
  readonly enclave: string;
  /** Lower-case hex SHA-256 of the owner key's SPKI. */
  readonly ownerKeySha256: string;
  /** The profile's spec, parsed JSON or YAML. */
  readonly profileSpec: unknown;
  /** The text of the roots that the sidecar starts with. */
  readonly rootsText: string;
  readonly sidecarImage: string;
  readonly enclaveDomain: string;
}

export interface Specification {
  /** Lower-case hex: the statement's `specSha256`. */
  readonly sha256: string;
  /** What it is the hash of (RFC 8785). */
  readonly json: string;
}

/** The specification of the pod that the launcher creates and the webhook completes, computed offline (docs/injection.md). */
export function specification(launched: Launched): Result<Specification> {
  const profile = parseProfile(launched.profileSpec);
  if (!profile.ok) return profile;
  // The namespace stands in the statement, and in the policy; the specification does not hold it.
  const pod = launchedPod(profile.value, { ...launched, namespace: 'launched' });
  const { sidecarImage, rootsText: roots, enclaveDomain } = launched;
  const injected = injectedPod(pod, { crypto: nodeCrypto, sidecarImage, roots, enclaveDomain });
  if (!injected.ok) return injected;
  const spec = injected.value.spec ?? {};
  return success({ sha256: specSha256(nodeCrypto, spec), json: canonicalJson(projection(spec)) });
}
