import { toHex } from '../../formats/bytes/bytes.ts';
import type { Crypto } from '../../formats/crypto/crypto.ts';
import { buildCertificate } from '../../formats/x509/certificate.ts';
import type { NameConstraints } from '../../formats/x509/general-names.ts';
import type { Issuer } from '../../names/signers.ts';
import { keyIdentifier } from './issue.ts';
import { BACKDATE_SECONDS, ROOT_SECONDS } from './lifetimes.ts';
import { ROLE_USAGES } from './profiles.ts';

export interface Domains {
  /** Host of SPIFFE IDs. */
  readonly trustDomain: string;
  /** Suffix of enclaves' DNS names. */
  readonly enclaveDomain: string;
}

export interface RootFields extends Domains {
  readonly issuer: Issuer;
  readonly spki: Uint8Array;
  readonly now: number;
  readonly serial: Uint8Array;
}

/**
 * What names a root's certificates may have. Only enclaves: their two domains are fixed for the life of a cluster. Components have
 * front's public names, which the operator may change; users and attestation keys have no names of these kinds.
 */
export function nameConstraintsOf(issuer: Issuer, domains: Domains): NameConstraints | undefined {
  if (issuer !== 'enclaves') return undefined;
  return {
    permitted: { dns: [domains.enclaveDomain], uri: [domains.trustDomain], others: 0 },
    excluded: { dns: [], uri: [], others: 0 },
  };
}

/** A self-signed root of one role: it signs no other authority, and nothing outside its extended key usages. */
export function rootCertificate(
  crypto: Crypto,
  fields: RootFields,
  sign: (tbs: Uint8Array) => Uint8Array,
): Uint8Array {
  const { issuer, spki, now, serial } = fields;
  const identifier = keyIdentifier(crypto, spki);
  // The key's identifier in the name: roots of two clusters, or of two times, are never mistaken for each other.
  const name = {
    organizations: ['enclave-licensing'],
    commonName: `${issuer} ${toHex(identifier.subarray(0, 8))}`,
  };
  return buildCertificate(
    {
      serial,
      issuer: name,
      subject: name,
      notBefore: now - BACKDATE_SECONDS,
      notAfter: now + ROOT_SECONDS,
      spki,
      extensions: {
        basicConstraints: { ca: true, pathLength: 0 },
        keyUsage: ['keyCertSign', 'cRLSign'],
        extendedKeyUsage: ROLE_USAGES[issuer],
        nameConstraints: nameConstraintsOf(issuer, fields),
        subjectKeyIdentifier: identifier,
      },
    },
    sign,
    'ecdsa-sha256',
  );
}
