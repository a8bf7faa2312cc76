import { parseCertificate } from '../../formats/x509/certificate.ts';
import { OID_EKU_COMPONENT } from '../../names/oids.ts';

/**
 * Is this certificate, which TLS has chained to a `system` root, a component's with this DNS name? A role is issuer and extended key
 * usage together. The reason why not, or undefined.
 */
export function whyNotComponent(certificate: Uint8Array | undefined, dnsName: string): string | undefined {
  if (certificate === undefined) return 'no certificate was shown';
  const parsed = parseCertificate(certificate);
  if (!parsed.ok) return `the certificate cannot be read: ${parsed.message}`;
  const { extendedKeyUsage, subjectAltName } = parsed.value.extensions;
  if (!extendedKeyUsage?.includes(OID_EKU_COMPONENT)) return 'the certificate is not a component’s';
  if (!subjectAltName?.dns.includes(dnsName)) return `the certificate is not for ${dnsName}`;
  return undefined;
}
