/** Every reason for which this room refuses an input. */
export type EvidenceCode =
  /** Larger than the bound that its .proto file or docstring states. */
  | 'evidence-too-large'
  /** Protobuf or JSON that is not strictly well-formed: unknown or repeated fields, other wire types, left-over bytes. */
  | 'evidence-malformed'
  /** Well-formed, but a field is missing or outside its bounds. */
  | 'evidence-out-of-bounds'
  /** JSON with a member twice. */
  | 'evidence-duplicate-member'
  /** Not signed by a key that the receiver holds. */
  | 'evidence-untrusted'
  /** Older than what the receiver holds. */
  | 'evidence-rollback';
