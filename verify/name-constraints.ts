import type { Certificate } from '../formats/x509/certificate.ts';
import type { NameConstraints } from '../formats/x509/general-names.ts';

/** RFC 5280, 4.2.1.10, dNSName: the name itself or any name below it. */
function dnsWithin(name: string, base: string): boolean {
  const [lower, domain] = [name.toLowerCase(), base.toLowerCase()];
  return domain === '' || lower === domain || lower.endsWith(domain.startsWith('.') ? domain : `.${domain}`);
}

/** RFC 5280, 4.2.1.10, URI: the host, exactly; or any host below it when the constraint begins with a dot. */
function uriWithin(uri: string, base: string): boolean {
  const host = /^[a-z][a-z0-9+.-]*:\/\/([^/?#:@]+)(?::[0-9]*)?(?:[/?#]|$)/i.exec(uri)?.[1]?.toLowerCase();
  if (host === undefined) return false;
  const domain = base.toLowerCase();
  return domain.startsWith('.') ? host.endsWith(domain) && host.length > domain.length : host === domain;
}

/**
 * The first name of the certificate that the constraints do not let pass, or undefined. Constraints on kinds of names
 * that we cannot judge let nothing pass, and so does a URI whose host cannot be told.
 */
export function unpermittedName(certificate: Certificate, constraints: NameConstraints): string | undefined {
  const { permitted, excluded } = constraints;
  if (permitted.others + excluded.others > 0) return 'a constraint of an unknown kind';
  const { dns = [], uri = [] } = certificate.extensions.subjectAltName ?? {};
  const inDns = (name: string) => (base: string) => dnsWithin(name, base);
  const inUri = (name: string) => (base: string) => uriWithin(name, base);
  return (
    dns.find(
      (name) =>
        (permitted.dns.length > 0 && !permitted.dns.some(inDns(name))) || excluded.dns.some(inDns(name)),
    ) ??
    uri.find(
      (name) =>
        (permitted.uri.length > 0 && !permitted.uri.some(inUri(name))) ||
        (excluded.uri.length > 0 &&
          (!/^[a-z][a-z0-9+.-]*:\/\/[^/?#:@]/i.test(name) || excluded.uri.some(inUri(name)))),
    )
  );
}
