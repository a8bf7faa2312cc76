import { type Result, refuse, success } from '../../../formats/bytes/result.ts';
import { DEFAULT_ENCLAVE_DOMAIN } from '../../../names/components.ts';
import type { Policy } from '../../../verify/policy/policy.ts';
import { type Launched, specification } from './specification.ts';

export interface LaunchedSpec extends Pick<Launched, 'enclave' | 'ownerKeySha256' | 'profileSpec'> {
  /** The texts of the roots that the sidecar may have started with. */
  readonly rootsTexts: readonly string[];
  /** DNS name of the enclave: `<id>.<enclave domain>`. */
  readonly serverName: string;
}

/** The one image that the policy lists under a name ending in `enclave-sidecar`. */
export function sidecarImageOf({ images }: Policy): Result<string> {
  const sidecars =
    images === 'any' ? [] : images.filter((image) => /(^|\/)enclave-sidecar@sha256:/.test(image));
  const [sidecarImage] = sidecars;
  return sidecarImage === undefined || sidecars.length > 1
    ? refuse(
        'sidecar-image-unknown',
        "the policy does not list exactly one sidecar's image by name and digest",
        'list <registry>/enclave-sidecar@sha256:<digest> under images',
      )
    : success(sidecarImage);
}

/** The domain that an enclave's name ends in. */
export function enclaveDomainOf(enclave: string, serverName: string): string {
  const prefix = `${enclave}.`;
  return serverName.startsWith(prefix) ? serverName.slice(prefix.length) : DEFAULT_ENCLAVE_DOMAIN;
}

/**
 * The hashes that the pod's specification may have, one a set of roots, computed offline from what the user knows: profile, owner key, roots and the sidecar's image,
 * which is that of the policy. Refused, with the reason, when the policy does not say enough.
 */
export function expectedSpecs(policy: Policy, launched: LaunchedSpec): Result<readonly string[]> {
  const sidecarImage = sidecarImageOf(policy);
  if (!sidecarImage.ok) return sidecarImage;
  const enclaveDomain = enclaveDomainOf(launched.enclave, launched.serverName);
  const hashes: string[] = [];
  for (const rootsText of launched.rootsTexts) {
    const made = specification({ ...launched, rootsText, sidecarImage: sidecarImage.value, enclaveDomain });
    if (!made.ok) return made;
    hashes.push(made.value.sha256);
  }
  return success(hashes);
}
