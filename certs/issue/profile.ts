import type { Extensions } from '../../formats/x509/extensions.ts';
import type { Name } from '../../formats/x509/name.ts';
import type { Issuer } from '../../names/signers.ts';

/** What goes into one certificate, all of it verified: nothing here is a wish of the requester. */
export interface CertificateProfile {
  readonly issuer: Issuer;
  readonly subject: Name;
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Uint8Array;
  /** But for key identifiers, which `issue` adds. */
  readonly extensions: Extensions;
  /** Seconds that the requester asked for. */
  readonly wishedSeconds?: number | undefined;
  /** Unix seconds that the certificate must not outlive, apart from its issuer. */
  readonly notAfterLimit?: number | undefined;
}
