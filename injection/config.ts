import type { Crypto } from '../formats/crypto/crypto.ts';

/** What one release injects; the same for every pod. */
export interface InjectionConfig {
  readonly crypto: Crypto;
  /** The sidecar's image, pinned: `name@sha256:<64 hex digits>`. */
  readonly sidecarImage: string;
  /** The text of roots.json (formats/evidence/roots.ts), as it goes into the sidecar's environment. */
  readonly roots: string;
  readonly enclaveDomain: string;
  /** Never injected, whatever their labels: the release's own and kube-system. */
  readonly excludedNamespaces?: readonly string[] | undefined;
}
