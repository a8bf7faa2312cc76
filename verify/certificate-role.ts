import { parseSpiffeId } from '../formats/evidence/spiffe-id.ts';
import type { Certificate } from '../formats/x509/certificate.ts';
import { OID_EKU_AK, OID_EKU_COMPONENT, OID_EKU_ENCLAVE, OID_EKU_USER } from '../names/oids.ts';
import type { Issuer } from '../names/signers.ts';

/** The extended key usage that a certificate of each issuer has, and no certificate of another issuer may have. */
export const ROLE_USAGE: Readonly<Record<Issuer, string>> = {
  system: OID_EKU_COMPONENT,
  enclaves: OID_EKU_ENCLAVE,
  users: OID_EKU_USER,
  'attestation-keys': OID_EKU_AK,
};

/** Binding extension by role; a component has none. */
const BINDINGS = { enclaveBinding: 'enclaves', userBinding: 'users', tpmTrust: 'attestation-keys' } as const;

/**
 * What an end-entity certificate of a role must have besides its usages (docs/evidence-format.md, Certificates): its own
 * binding and no other, and names of its kind. Undefined when it has.
 */
export function roleProblem(certificate: Certificate, role: Issuer): string | undefined {
  const { extensions, commonName } = certificate;
  const { dns = [], uri = [], ip = [], others = 0 } = extensions.subjectAltName ?? {};
  for (const [binding, owner] of Object.entries(BINDINGS) as [keyof typeof BINDINGS, Issuer][])
    if ((extensions[binding] !== undefined) !== (owner === role))
      return owner === role
        ? `the extension ${binding} is missing`
        : `the extension ${binding} is of another role`;
  if (ip.length + others > 0) return 'names other than DNS names and URIs';
  if (role === 'enclaves')
    return dns.length === 1 && uri.length === 1 && parseSpiffeId(uri[0] ?? '')
      ? undefined
      : 'not one DNS name and one SPIFFE ID';
  if (role === 'system') return dns.length > 0 && uri.length === 0 ? undefined : 'not DNS names alone';
  if (dns.length + uri.length > 0) return 'names of another role';
  return commonName === undefined || commonName === '' ? 'no common name' : undefined;
}
