import { toHex } from '../../formats/bytes/bytes.ts';
import type { CertificateFields } from '../../formats/x509/certificate.ts';
import type { Extensions } from '../../formats/x509/extensions.ts';
import type { Issuer } from '../../names/signers.ts';
import type { CheckName } from '../../verify/check-names.ts';
import type { Changes } from './evidence.ts';
import {
  type FixtureIssuer,
  fixtureCertificate,
  fixtureRoot,
  fixtureRoots,
  type LeafFields,
  rootIssuer,
} from './fixture-certificates.ts';
import { ecKey } from './fixture-keys.ts';
import { replaceBytes, sha256 } from './forgery.ts';

/** One of a bundle's two chains, and how it is changed. */
export interface Side {
  readonly prefix: 'certificate' | 'key-certificate';
  readonly role: Issuer;
  readonly check: CheckName;
  leaf(part: (f: LeafFields) => Partial<LeafFields>): Changes;
  issuer(by: FixtureIssuer): Changes;
  chain(change: (chain: readonly Uint8Array[]) => Uint8Array[]): Changes;
}
export const CERTIFICATE: Side = {
  prefix: 'certificate',
  role: 'enclaves',
  check: 'certificate-chain',
  leaf: (part) => ({ certificate: (f) => ({ ...f, ...part(f) }) }),
  issuer: (certificateIssuer) => ({ certificateIssuer }),
  chain: (change) => ({ bundle: (b) => ({ ...b, certificateChain: change(b.certificateChain) }) }),
};
export const KEY_CERTIFICATE: Side = {
  prefix: 'key-certificate',
  role: 'attestation-keys',
  check: 'attestation-key-chain',
  leaf: (part) => ({ akCertificate: (f) => ({ ...f, ...part(f) }) }),
  issuer: (akIssuer) => ({ akIssuer }),
  chain: (change) => ({
    bundle: (b) => ({
      ...b,
      attestationKeyCertificateChain: change(b.attestationKeyCertificateChain),
    }),
  }),
};
export const SIDES = [CERTIFICATE, KEY_CERTIFICATE] as const;

export const extensions = (side: Side, part: Extensions): Changes =>
  side.leaf((f) => ({ extensions: { ...f.extensions, ...part } }));
/** The verifier holds this root of the side's role instead. */
export const holding = (side: Side, root: Uint8Array): Changes => ({
  roots: (roots) => ({ ...roots, [side.role]: [root] }),
});
export const changedRoot = (side: Side, change: (f: CertificateFields) => CertificateFields): Changes =>
  holding(side, fixtureRoot(side.role, change));
export const rootSha256 = (issuer: Issuer) => fixtureRoots()[issuer].map((der) => toHex(sha256(der)));

const MIDDLE = ecKey('middle');
/** An issuer below the root, certified with these fields. */
export function middle(
  side: Side,
  change: Partial<LeafFields> = {},
  by = rootIssuer(side.role),
): FixtureIssuer {
  const fields: LeafFields = {
    spki: MIDDLE.spki,
    subject: { commonName: 'middle' },
    extensions: { basicConstraints: { ca: true }, keyUsage: ['keyCertSign'], subjectAltName: undefined },
    ...change,
  };
  return {
    name: { commonName: 'middle' },
    key: MIDDLE,
    chain: [fixtureCertificate(side.role, fields, by)],
  };
}
export const roomForOne = (side: Side) =>
  changedRoot(side, (f) => ({
    ...f,
    extensions: { ...f.extensions, basicConstraints: { ca: true, pathLength: 1 } },
  }));
export const middleExtensions = (part: Extensions): Partial<LeafFields> => ({
  extensions: { basicConstraints: { ca: true }, keyUsage: ['keyCertSign'], ...part },
});
export const sha384 = (der: Uint8Array) => replaceBytes(der, '06082a8648ce3d040302', '06082a8648ce3d040303');
export const swapCritical = (der: Uint8Array) => replaceBytes(der, '0603551d1e', '0603551d63');

export const nextKey: Extensions = {
  basicConstraints: { ca: true },
  keyUsage: ['keyCertSign'],
  extendedKeyUsage: undefined,
};
/** A root's fields, whatever length of path. */
export const unbounded = (f: CertificateFields): CertificateFields => ({
  ...f,
  extensions: { ...f.extensions, basicConstraints: { ca: true } },
});
export const twice = (by: FixtureIssuer): FixtureIssuer => ({
  ...by,
  chain: [...(by.chain ?? []), ...(by.chain ?? [])],
});

/** Both chains with an intermediate. */
export function underIntermediates(): Changes {
  const [first, second] = SIDES.map((side) => roomForOne(side).roots);
  return {
    ...CERTIFICATE.issuer(middle(CERTIFICATE)),
    ...KEY_CERTIFICATE.issuer(middle(KEY_CERTIFICATE)),
    roots: (roots) => second?.(first?.(roots) ?? roots) ?? roots,
  };
}
