import type { Roots } from '../../formats/evidence/roots.ts';
import { buildCertificate, type CertificateFields } from '../../formats/x509/certificate.ts';
import { bitString, sequence } from '../../formats/x509/der-writer.ts';
import type { Name } from '../../formats/x509/name.ts';
import { encodeSignatureAlgorithm } from '../../formats/x509/signature-algorithm.ts';
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

/** Who issues, as what it signs says. */
export interface FixtureIssuer {
  readonly name: Name | Uint8Array;
  readonly key: FixtureKey;
  /** DER, from the issuer upwards, without the root. */
  readonly chain?: readonly Uint8Array[];
  /** Applied to the TBSCertificate before it is signed, and to the algorithm beside it: for what `buildCertificate` never writes. */
  readonly rewrite?: (der: Uint8Array) => Uint8Array;
}

/** The root of one role. */
export function rootIssuer(issuer: Issuer, cluster = 'cluster'): FixtureIssuer {
  return { name: { commonName: `${cluster} ${issuer}` }, key: issuerKey(issuer, cluster) };
}

function issue(fields: CertificateFields, { key, rewrite = (der) => der }: FixtureIssuer): Uint8Array {
  let tbs = new Uint8Array(0);
  buildCertificate(
    fields,
    (made) => {
      tbs = new Uint8Array(made);
      return tbs;
    },
    key.scheme,
  );
  const signed = rewrite(tbs);
  return sequence(signed, rewrite(encodeSignatureAlgorithm(key.scheme)), bitString(key.sign(signed)));
}

/** A self-signed root as the certificate service makes them. */
export function fixtureRoot(
  issuer: Issuer,
  change: (fields: CertificateFields) => CertificateFields = (f) => f,
  by: FixtureIssuer = rootIssuer(issuer),
): Uint8Array {
  const domains = {
    dns: ['enclaves.enclave-licensing.internal'],
    uri: ['enclave-licensing.internal'],
    others: 0,
  };
  const none = { dns: [], uri: [], others: 0 };
  const fields: CertificateFields = {
    serial: Uint8Array.of(1),
    issuer: by.name,
    subject: by.name,
    notBefore: FIXTURE_NOW - 30 * DAY,
    notAfter: FIXTURE_NOW + 3650 * DAY,
    spki: by.key.spki,
    extensions: {
      basicConstraints: { ca: true, pathLength: 0 },
      keyUsage: ['keyCertSign', 'cRLSign'],
      extendedKeyUsage: USAGES[issuer],
      nameConstraints: issuer === 'enclaves' ? { permitted: domains, excluded: none } : undefined,
    },
  };
  return issue(change(fields), by);
}

const madeRoots = new Map<string, Roots>();

export function fixtureRoots(cluster = 'cluster'): Roots {
  const root = (issuer: Issuer) => [fixtureRoot(issuer, undefined, rootIssuer(issuer, cluster))];
  const made =
    madeRoots.get(cluster) ??
    (Object.fromEntries(ISSUERS.map((issuer) => [issuer, root(issuer)])) as unknown as Roots);
  madeRoots.set(cluster, made);
  return made;
}

/** What a test says of an end-entity certificate; the rest is as the certificate service does it. */
export type LeafFields = Partial<CertificateFields> & Pick<CertificateFields, 'spki'>;

/** An end-entity certificate of one issuer; the changed fields are signed as they are. */
export function fixtureCertificate(
  issuer: Issuer,
  fields: LeafFields,
  by: FixtureIssuer = rootIssuer(issuer),
): Uint8Array {
  const { extensions, ...rest } = fields;
  return issue(
    {
      serial: Uint8Array.of(2),
      issuer: by.name,
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
    by,
  );
}
