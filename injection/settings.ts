/** What one sidecar is told, all of it in its environment (names/sidecar.ts): immutable, compared, covered by the statement. */
export interface SidecarSettings {
  /** A launched enclave's id, or `<namespace>.<service account>`. */
  readonly enclave: string;
  readonly enclaveDomain: string;
  /** Lower-case hex SHA-256 of the owner key's SPKI; undefined only with `auth: jwt`. */
  readonly ownerKeySha256: string | undefined;
  readonly mode: 'tcp' | 'http';
  /** As the annotation has it; `parseUpstream` reads it. */
  readonly upstream: string;
  readonly auth: 'mtls' | 'jwt';
  /** Protocols that tcp mode may choose, comma-separated, in no order of preference: the client's counts. */
  readonly alpn: string;
  readonly keyType: 'p256' | 'p384';
  /** As the annotation has it, for example `24h`. */
  readonly certificateLifetime: string;
  /** The text of roots.json; its SHA-256 is the statement's `rootsSha256`. */
  readonly roots: string;
}

/** What the sidecar's container may use; requests and limits, not part of its settings. */
export interface SidecarResources {
  readonly cpu: string;
  readonly memory: string;
}
