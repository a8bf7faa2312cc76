import { equal, toHex } from '../../formats/bytes/bytes.ts';
import { type Result, success } from '../../formats/bytes/result.ts';
import type { Crypto } from '../../formats/crypto/crypto.ts';
import type { TpmTrust } from '../../formats/x509/bindings.ts';
import {
  type Certificate,
  parseCertificate,
  verifyCertificateSignature,
} from '../../formats/x509/certificate.ts';
import { isSameKey } from '../../formats/x509/public-key.ts';
import { OID_EKU_TCG_EK } from '../../names/oids.ts';
import { type CertsCode, type CertsRefusal, refuseCerts } from '../code.ts';

/** Whose endorsement key certificates count, and as what. A certificate in both sets counts as emulated. */
export interface EndorsementRoots {
  readonly vendor: readonly Certificate[];
  readonly emulated: readonly Certificate[];
}

/** The operator's list: SHA-256 of an endorsement key's SPKI in lower-case hex, and what it counts as. */
export type EndorsementList = ReadonlyMap<string, 'listed' | 'emulated'>;

export interface EndorsementContext {
  readonly crypto: Crypto;
  readonly roots: EndorsementRoots;
  readonly list: EndorsementList;
  /** Unix seconds. */
  readonly now: number;
}

/** Certificates that a TPM may send: firmware TPMs have three intermediates of their own. */
const MAX_CHAIN = 8;

/**
 * How an endorsement key is trusted: its certificate chains to a vendor's root, or the operator listed it, or it is one of an emulated
 * TPM whose authority the operator named as such. Neither of them refuses. A certificate for another key refuses always.
 * @param spki the endorsement key, SubjectPublicKeyInfo DER
 * @param chain its certificate and intermediates as the TPM holds them, DER; may be empty
 */
export function trustEndorsementKey(
  spki: Uint8Array,
  chain: readonly Uint8Array[],
  context: EndorsementContext,
): Result<TpmTrust, CertsCode> {
  const ekSha256 = toHex(context.crypto.hash('sha256', spki));
  const listed = context.list.get(ekSha256);
  const certified = chain.length === 0 ? undefined : trustByCertificate(spki, chain, context);
  if (certified !== undefined && !('ok' in certified)) return success({ ekSha256, how: certified.how });
  if (certified?.code === 'ek-certificate') return certified;
  if (listed !== undefined) return success({ ekSha256, how: listed });
  return refuseCerts(
    'ek-untrusted',
    `endorsement key ${ekSha256} ${certified === undefined ? 'has no certificate' : `has a certificate that does not count (${certified.message})`} and is not on the list`,
    'put its vendor’s root into --ek-roots-dir, or its hash on --ek-allow-list',
  );
}

function trustByCertificate(
  spki: Uint8Array,
  chain: readonly Uint8Array[],
  context: EndorsementContext,
): { readonly how: TpmTrust['how'] } | CertsRefusal {
  const no = (code: CertsCode, message: string) =>
    refuseCerts(code, message, 'give the certificate of this very TPM, and its intermediates');
  if (chain.length > MAX_CHAIN) return no('ek-untrusted', `more than ${MAX_CHAIN} certificates`);
  const [leaf, ...intermediates] = chain.map((der) => parseCertificate(der, 'tpm-vendor'));
  if (leaf === undefined || !leaf.ok) return no('ek-untrusted', leaf?.message ?? 'none');
  const certificate = leaf.value;
  if (!isSameKey(certificate.spki, spki))
    return no('ek-certificate', 'the endorsement key certificate is for another key');
  const { basicConstraints, extendedKeyUsage, unknownCritical } = certificate.extensions;
  if (basicConstraints?.ca) return no('ek-untrusted', 'it is an authority’s');
  if (extendedKeyUsage !== undefined && !extendedKeyUsage.includes(OID_EKU_TCG_EK))
    return no('ek-untrusted', 'its extended key usage is not tcg-kp-EKCertificate');
  if (unknownCritical.length > 0)
    return no('ek-untrusted', `unknown critical extensions ${unknownCritical.join(', ')}`);
  const pool = intermediates.flatMap((each) => (each.ok ? [each.value] : []));
  // Emulated first: what stands in both sets is never a vendor's.
  for (const [how, anchors] of [
    ['emulated', context.roots.emulated],
    ['vendor-root', context.roots.vendor],
  ] as const)
    if (chainsTo(certificate, pool, anchors, context)) return { how };
  return no('ek-untrusted', 'no root signed it');
}

function isCurrent(certificate: Certificate, now: number): boolean {
  return certificate.notBefore <= now && now <= certificate.notAfter;
}

/** @param below intermediates between it and the certificate at the end */
function mayIssue(issuer: Certificate, below: number, now: number): boolean {
  const { basicConstraints, keyUsage, unknownCritical } = issuer.extensions;
  return (
    isCurrent(issuer, now) &&
    basicConstraints?.ca === true &&
    below <= (basicConstraints.pathLength ?? below) &&
    (keyUsage === undefined || keyUsage.includes('keyCertSign')) &&
    unknownCritical.length === 0
  );
}

/**
 * Whether an anchor signed it, or an intermediate of the pool that chains to one. Each certificate is looked at once, so the work is bounded by the pool's size
 * times that of pool and anchors.
 */
function chainsTo(
  certificate: Certificate,
  pool: readonly Certificate[],
  anchors: readonly Certificate[],
  { crypto, now }: EndorsementContext,
): boolean {
  const seen = new Set([certificate]);
  let level: readonly Certificate[] = isCurrent(certificate, now) ? [certificate] : [];
  for (let below = 0; level.length > 0; below += 1) {
    const signs = (issuer: Certificate, subject: Certificate): boolean =>
      equal(issuer.subject, subject.issuer) &&
      mayIssue(issuer, below, now) &&
      verifyCertificateSignature(crypto, subject, issuer.spki);
    if (level.some((subject) => anchors.some((anchor) => signs(anchor, subject)))) return true;
    level = pool.filter((issuer) => !seen.has(issuer) && level.some((subject) => signs(issuer, subject)));
    for (const each of level) seen.add(each);
  }
  return false;
}
