/** Every reason for which this room refuses an input. */
export type X509Code =
  /** Not DER: a length, tag, number or order that the distinguished encoding rules forbid, or bytes left over. */
  | 'x509-not-der'
  /** DER, but not the structure that the profile (RFC 5280, RFC 2986) asks for. */
  | 'x509-malformed'
  /** Larger than the bound of its kind. */
  | 'x509-too-large'
  /** An algorithm or version outside the closed tables. */
  | 'x509-unsupported'
  /** Not a strict PEM text (RFC 7468). */
  | 'x509-pem';
