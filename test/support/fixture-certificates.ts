import type { Roots } from '../../formats/evidence/roots.ts';
import { buildCertificate, type CertificateFields } from '../../formats/x509/certificate.ts';
import {
  OID_EKU_AK,
  OID_EKU_CLIENT_AUTH,
  OID_EKU_COMPONENT,
  OID_EKU_ENCLAVE,
  OID_EKU_SERVER_AUTH,
  OID_EKU_TCG_AIK,
  OID_EKU_USER,
} from '../../names/oids.ts';
import { ISSUERS, type Issuer } from '../../names/signers.ts';
import { ecKey, type FixtureKey } from './fixture-keys.ts';

/** 2026-11-22T00:00:00Z: the moment at which all fixtures are made. */
export const FIXTURE_NOW = 1_795_305_600;
const DAY = 86_400;
/** What each issuer's certificates are for. */
export const USAGES: Readonly<Record<Issuer, readonly string[]>> = {
  system: [OID_EKU_COMPONENT, OID_EKU_SERVER_AUTH, OID_EKU_CLIENT_AUTH],
  enclaves: [OID_EKU_ENCLAVE, OID_EKU_SERVER_AUTH],
  users: [OID_EKU_USER, OID_EKU_CLIENT_AUTH],
  'attestation-keys': [OID_EKU_AK, OID_EKU_TCG_AIK],
};

export const issuerKey = (issuer: Issuer, cluster = 'cluster'): FixtureKey =>
  ecKey(`${cluster} root ${issuer}`);

/** A self-signed root as the certificate service makes them. */
export function fixtureRoot(
  issuer: Issuer,
  change: (fields: CertificateFields) => CertificateFields = (f) => f,
  cluster = 'cluster',
): Uint8Array {
  const key = issuerKey(issuer, cluster);
  const name = { commonName: `${cluster} ${issuer}` };
  const domains = {
    dns: ['enclaves.enclave-licensing.internal'],
    uri: ['enclave-licensing.internal'],
    others: 0,
  };
  const none = { dns: [], uri: [], others: 0 };
  const fields: CertificateFields = {
    serial: Uint8Array.of(1),
    issuer: name,
    subject: name,
    notBefore: FIXTURE_NOW - 30 * DAY,
    notAfter: FIXTURE_NOW + 3650 * DAY,
    spki: key.spki,
    extensions: {
      basicConstraints: { ca: true, pathLength: 0 },
      keyUsage: ['keyCertSign', 'cRLSign'],
      extendedKeyUsage: USAGES[issuer],
      nameConstraints: issuer === 'enclaves' ? { permitted: domains, excluded: none } : undefined,
    },
  };
  return buildCertificate(change(fields), key.sign, key.scheme);
}

export function fixtureRoots(cluster = 'cluster'): Roots {
  const entries = ISSUERS.map((issuer) => [issuer, [fixtureRoot(issuer, undefined, cluster)]] as const);
  return Object.fromEntries(entries) as unknown as Roots;
}

/** What a test says of an end-entity certificate; the rest is as the certificate service does it. */
export type LeafFields = Partial<CertificateFields> & Pick<CertificateFields, 'spki'>;

/** An end-entity certificate of one issuer; the changed fields are signed as they are. */
export function fixtureCertificate(issuer: Issuer, fields: LeafFields, cluster = 'cluster'): Uint8Array {
  const key = issuerKey(issuer, cluster);
  const { extensions, ...rest } = fields;
  return buildCertificate(
    {
      serial: Uint8Array.of(2),
      issuer: { commonName: `${cluster} ${issuer}` },
      subject: {},
      notBefore: FIXTURE_NOW - 3600,
      notAfter: FIXTURE_NOW + DAY,
      ...rest,
      extensions: {
        basicConstraints: { ca: false },
        keyUsage: ['digitalSignature'],
        extendedKeyUsage: USAGES[issuer],
        ...extensions,
      },
    },
    key.sign,
    key.scheme,
  );
}
