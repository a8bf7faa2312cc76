import { type Result, refuse, success } from '../../formats/bytes/result.ts';
import { parseProfile } from '../../injection/profile.ts';
import { expectedSpecSha256 } from '../../injection/spec-sha256.ts';
import { DEFAULT_ENCLAVE_DOMAIN } from '../../names/components.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import type { Policy } from '../../verify/policy/policy.ts';

export interface LaunchedSpec {
  readonly enclave: string;
  readonly ownerKeySha256: string;
  /** The profile's spec, parsed JSON or YAML. */
  readonly profileSpec: unknown;
  /** The texts of the roots that the sidecar may have started with. */
  readonly rootsTexts: readonly string[];
  /** DNS name of the enclave: `<id>.<enclave domain>`. */
  readonly serverName: string;
}

/**
 * The hashes that the pod's specification may have, one a set of roots, computed offline from what the user knows: profile, owner key, roots and the sidecar's image,
 * which is the one that the policy lists under a name ending in `enclave-sidecar`. Refused, with the reason, when the policy does not say enough.
 */
export function expectedSpecs(policy: Policy, launched: LaunchedSpec): Result<readonly string[]> {
  const sidecars =
    policy.images === 'any'
      ? []
      : policy.images.filter((image) => /(^|\/)enclave-sidecar@sha256:/.test(image));
  const [sidecarImage] = sidecars;
  if (sidecarImage === undefined || sidecars.length > 1)
    return refuse(
      'sidecar-image-unknown',
      "the policy does not list exactly one sidecar's image by name and digest",
      'list <registry>/enclave-sidecar@sha256:<digest> under images',
    );
  const profile = parseProfile(launched.profileSpec);
  if (!profile.ok) return profile;
  const prefix = `${launched.enclave}.`;
  const enclaveDomain = launched.serverName.startsWith(prefix)
    ? launched.serverName.slice(prefix.length)
    : DEFAULT_ENCLAVE_DOMAIN;
  // The namespace stands in the statement, and in the policy; the specification's hash does not depend on it.
  const launch = {
    enclave: launched.enclave,
    ownerKeySha256: launched.ownerKeySha256,
    namespace: 'launched',
  };
  const hashes: string[] = [];
  for (const roots of launched.rootsTexts) {
    const hash = expectedSpecSha256(nodeCrypto, profile.value, launch, {
      sidecarImage,
      roots,
      enclaveDomain,
    });
    if (!hash.ok) return hash;
    hashes.push(hash.value);
  }
  return success(hashes);
}
