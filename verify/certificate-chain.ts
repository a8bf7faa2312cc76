import { equalPublic } from '../formats/bytes/bytes.ts';
import { type Refusal, type Result, refuse, success } from '../formats/bytes/result.ts';
import type { Crypto } from '../formats/crypto/crypto.ts';
import type { Roots } from '../formats/evidence/roots.ts';
import {
  type Certificate,
  parseCertificate,
  verifyCertificateSignature,
} from '../formats/x509/certificate.ts';
import { ISSUERS, type Issuer } from '../names/signers.ts';
import { ROLE_USAGE, roleProblem } from './certificate-role.ts';
import { certificateFingerprint } from './fingerprint.ts';
import { unpermittedName } from './name-constraints.ts';
import { type Accepted, accepts } from './policy/policy.ts';
import type { VerifyCache } from './verify-cache.ts';
import type { ChainCode } from './verify-code.ts';

const MAX_CHAIN_CERTIFICATES = 4;

const UNKNOWN_KEY = 'a key other than RSA 2048, 3072 or 4096, P-256 or P-384';

export interface ChainOptions {
  /** Trust anchors by issuer; only those of `role` count. */
  readonly roots: Roots;
  readonly role: Issuer;
  /** Lower-case hex SHA-256 of the roots that count, of those held; by default all of them. */
  readonly acceptedRoots?: Accepted<string> | undefined;
  /** Unix seconds. */
  readonly now: number;
  /** A DNS name that the leaf must carry, exactly (no wildcards); its case does not matter. */
  readonly dnsName?: string | undefined;
  /** Further extended key usages that the leaf must have, dotted (serverAuth, clientAuth). */
  readonly usages?: readonly string[] | undefined;
  readonly cache?: VerifyCache | undefined;
}

type SignatureCheck = (certificate: Certificate, issuer: Certificate) => boolean;

function no(
  code: ChainCode,
  message: string,
  remedy = 'use a certificate of this cluster and role',
): Refusal<ChainCode> {
  return refuse(code, message, remedy);
}

/**
 * Validates a chain to a root of one role (RFC 5280, 6.1, in the profile of docs/evidence-format.md) and returns its leaf.
 * Signatures, dates, CA bits and path lengths, usages, names, name constraints, keys, critical extensions and the
 * role's binding are all checked; revocation is the trust document's business. No exception for any input.
 * @param chain DER, leaf first, without the root
 */
export function verifyChain(
  crypto: Crypto,
  chain: readonly Uint8Array[],
  options: ChainOptions,
): Result<Certificate, ChainCode> {
  const { role, now, cache } = options;
  const signed: SignatureCheck = (certificate, issuer) =>
    cache?.signed(crypto, certificate, issuer) ??
    verifyCertificateSignature(crypto, certificate, issuer.spki);
  const roots = options.roots[role];
  if (roots.length === 0)
    return no('chain-no-roots', `there is no root of ${role}`, 'hold at least one root of each issuer');
  if (chain.length === 0) return no('chain-empty', 'there is no certificate');
  if (chain.length > MAX_CHAIN_CERTIFICATES)
    return no('chain-too-long', `${chain.length} certificates, at most ${MAX_CHAIN_CERTIFICATES}`);
  const path: Certificate[] = [];
  for (const der of chain) {
    const parsed = cache?.certificate(der) ?? parseCertificate(der);
    if (!parsed.ok) return no('chain-malformed', parsed.message);
    path.push(parsed.value);
  }
  const [leaf] = path;
  const last = path[path.length - 1];
  if (!leaf || !last) return no('chain-empty', 'there is no certificate');

  const root = rootOf(last, options, signed, crypto);
  if (!root.ok) return root;
  path.push(root.value);

  return (
    soundnessProblem(path, options, signed) ??
    dateProblem(path, now) ??
    nameProblem(leaf, options.dnsName) ??
    success(leaf)
  );
}

/**
 * The root that signed a certificate, of those that are held and count. Of one that was renewed with its name and key the one that is valid now:
 * holders keep both for a while, in whatever order.
 */
function rootOf(
  last: Certificate,
  { roots, role, acceptedRoots = 'any', now, cache }: ChainOptions,
  signed: SignatureCheck,
  crypto: Crypto,
): Result<Certificate, ChainCode> {
  let named = 0;
  let known = 0;
  let unlisted = 0;
  let outdated: Result<Certificate, ChainCode> | undefined;
  for (const der of roots[role]) {
    const root = cache?.root(der) ?? parseCertificate(der);
    if (!root.ok || !equalPublic(root.value.subject, last.issuer)) continue;
    named++;
    // Before its signature is looked at: a seam may or may not know the key.
    if (root.value.keyKind === undefined) continue;
    known++;
    if (!signed(last, root.value)) continue;
    const listed = () => accepts(acceptedRoots, certificateFingerprint(root.value, crypto, cache).hex);
    if (acceptedRoots !== 'any' && !listed()) unlisted++;
    else if (isCurrent(root.value, now)) return root;
    else outdated ??= root;
  }
  if (outdated) return outdated;
  if (named === 0) return no('chain-untrusted', `no root of ${role} has the issuer's name`);
  if (known === 0) return no('chain-key', UNKNOWN_KEY);
  return unlisted === 0
    ? no('chain-signature', `no root of ${role} made the signature`)
    : no(
        'chain-untrusted',
        `the root of ${role} is held, but not listed`,
        'list its fingerprint under roots',
      );
}

/** Whatever is wrong with a path at any time; what was found sound before is not looked at again. */
function soundnessProblem(
  path: readonly Certificate[],
  { role, usages = [], cache }: ChainOptions,
  signed: SignatureCheck,
): Refusal<ChainCode> | undefined {
  if (cache?.sound(path, role, usages)) return undefined;
  const problem = pathProblem(signed, path, role) ?? leafProblem(path, role, usages);
  if (!problem) cache?.keepSound(path, role, usages);
  return problem;
}

/** Each certificate is signed by the next, and every one above the leaf may sign. */
function pathProblem(
  signed: SignatureCheck,
  path: readonly Certificate[],
  role: Issuer,
): Refusal<ChainCode> | undefined {
  for (const [index, certificate] of path.entries()) {
    const { extensions, keyKind } = certificate;
    const [critical] = extensions.unknownCritical;
    if (critical !== undefined)
      return no('chain-critical-extension', `the critical extension ${critical} is unknown`);
    if (keyKind === undefined) return no('chain-key', UNKNOWN_KEY);
    if (index === 0) continue;
    const { basicConstraints, keyUsage = [], extendedKeyUsage } = extensions;
    if (basicConstraints?.ca !== true || !keyUsage.includes('keyCertSign'))
      return no('chain-not-a-ca', 'a certificate of the chain is signed by one that is no CA');
    if ((basicConstraints.pathLength ?? index - 1) < index - 1)
      return no('chain-not-a-ca', 'more intermediates than a path length allows');
    if (extendedKeyUsage && !extendedKeyUsage.includes(ROLE_USAGE[role]))
      return no('chain-role', `a CA of the chain may not issue for ${role}`);
    const below = path[index - 1];
    // The root's signature over the last certificate was checked when the root was chosen.
    if (!below || index === path.length - 1) continue;
    if (!equalPublic(below.issuer, certificate.subject))
      return no('chain-untrusted', 'a certificate does not follow from the next');
    if (!signed(below, certificate)) return no('chain-signature', 'a signature in the chain is wrong');
  }
  return undefined;
}

function isCurrent({ notBefore, notAfter }: Certificate, now: number): boolean {
  return now >= notBefore && now <= notAfter;
}

function dateProblem(path: readonly Certificate[], now: number): Refusal<ChainCode> | undefined {
  for (const { notBefore, notAfter } of path) {
    // Written so that a time that is no number is refused.
    if (!(now >= notBefore))
      return no('chain-not-yet-valid', `valid from ${notBefore}, it is ${now}`, 'compare the clocks');
    if (!(now <= notAfter))
      return no('chain-expired', `valid until ${notAfter}, it is ${now}`, 'renew the certificate');
  }
  return undefined;
}

function leafProblem(
  [leaf, ...issuers]: readonly Certificate[],
  role: Issuer,
  usages: readonly string[],
): Refusal<ChainCode> | undefined {
  if (!leaf) return no('chain-empty', 'there is no certificate');
  const { basicConstraints, keyUsage = [], extendedKeyUsage = [] } = leaf.extensions;
  if (basicConstraints?.ca === true) return no('chain-usage', 'the end-entity certificate is a CA');
  if (!keyUsage.includes('digitalSignature') || keyUsage.includes('keyCertSign'))
    return no('chain-usage', 'the key usage is not digitalSignature');
  const roles = ISSUERS.filter((issuer) => extendedKeyUsage.includes(ROLE_USAGE[issuer]));
  if (roles.join() !== role)
    return no(
      'chain-role',
      `its extended key usages are of ${roles.join(' and ') || 'no role'}, not of ${role} alone`,
    );
  const missing = usages.find((usage) => !extendedKeyUsage.includes(usage));
  if (missing !== undefined) return no('chain-usage', `the extended key usage ${missing} is missing`);
  const binding = roleProblem(leaf, role);
  if (binding !== undefined) return no('chain-binding', `as a certificate of ${role}: ${binding}`);
  for (const { extensions } of issuers) {
    const name = extensions.nameConstraints && unpermittedName(leaf, extensions.nameConstraints);
    if (name !== undefined) return no('chain-name-constraints', `its issuer may not name ${name}`);
  }
  return undefined;
}

function nameProblem(leaf: Certificate, dnsName: string | undefined): Refusal<ChainCode> | undefined {
  const { dns = [] } = leaf.extensions.subjectAltName ?? {};
  const wanted = dnsName?.toLowerCase();
  if (wanted !== undefined && !dns.some((name) => name.toLowerCase() === wanted))
    return no(
      'chain-name',
      `the certificate is not for ${dnsName}`,
      'connect by the name in the certificate',
    );
  return undefined;
}
