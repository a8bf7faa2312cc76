import type { SignatureScheme } from '../../formats/crypto/crypto.ts';
import type { Certificate } from '../../formats/x509/certificate.ts';
import type { Issuer } from '../../names/signers.ts';

/** One signing authority of one role: its root and the use of its key, never the key. */
export interface IssuerKey {
  readonly issuer: Issuer;
  readonly certificate: Certificate;
  readonly scheme: SignatureScheme;
  /** Signs a message; for ECDSA the DER of Ecdsa-Sig-Value (RFC 3279, 2.2.3). Throws when the key is out of reach: try again. */
  sign(message: Uint8Array): Uint8Array;
}

/** Where the four issuers' keys live: Secrets now, PKCS#11 or a TPM later. */
export interface Authority {
  issuer(name: Issuer): IssuerKey;
}
