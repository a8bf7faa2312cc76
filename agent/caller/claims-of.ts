import type { Crypto } from '../../formats/crypto/crypto.ts';
import { rootsSha256 } from '../../formats/evidence/roots.ts';
import { formatSpiffeId } from '../../formats/evidence/spiffe-id.ts';
import type { InjectedSidecar } from '../../injection/read-sidecar.ts';
import { specSha256 } from '../../injection/spec-sha256.ts';
import type { Pod } from '../../platform/kube/resources.ts';
import type { Claims } from './caller.ts';

/**
 * What a statement about this pod says. Every word comes from the API server's view of the pod and of the sidecar in its
 * spec; nothing comes from the request.
 */
export function claimsOf(crypto: Crypto, pod: Pod, sidecar: InjectedSidecar, trustDomain: string): Claims {
  const { metadata = {}, spec } = pod;
  const namespace = metadata.namespace ?? '';
  const serviceAccount = spec?.serviceAccountName ?? '';
  const { mode, upstream, auth, ownerKeySha256, roots } = sidecar;
  return {
    sub: formatSpiffeId({ trustDomain, namespace, serviceAccount }),
    pod: {
      namespace,
      name: metadata.name ?? '',
      uid: metadata.uid ?? '',
      serviceAccount,
      node: spec?.nodeName ?? '',
      enclave: sidecar.enclave,
      images: [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])].map(({ name, image }) => ({
        container: name,
        image: image ?? '',
      })),
      specSha256: specSha256(crypto, spec ?? {}),
    },
    access: {
      mode,
      upstream,
      auth,
      ...(ownerKeySha256 === undefined ? {} : { ownerKeySha256 }),
      rootsSha256: rootsSha256(crypto, roots),
    },
  };
}
