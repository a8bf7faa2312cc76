import { fromBase64, toBase64 } from '../../formats/bytes/base64.ts';
import { fromHex, toHex } from '../../formats/bytes/bytes.ts';
import { type Bundle, bundleFromJson, bundleToJson } from '../../formats/evidence/bundle.ts';
import { type Roots, rootsToMembers } from '../../formats/evidence/roots.ts';
import type { PcrSelection } from '../../formats/evidence/trust-document.ts';
import { ISSUERS, type Issuer } from '../../names/signers.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import type { VerifyContext } from '../../verify/context.ts';
import { formatPolicy } from '../../verify/policy/format-policy.ts';
import { parsePolicy } from '../../verify/policy/parse-policy.ts';
import type { Policy } from '../../verify/policy/policy.ts';
import type { TpmSeen } from '../../verify/verdict.ts';
import { fixture } from './evidence.ts';
import type { Forgery } from './forgery.ts';

/** A file of test/vectors/evidence: everything that goes into a verdict, and what must come out (test/vectors/README.md). */
export interface Vector {
  /** The check that fails and its failure class; null when the bundle is good. */
  readonly expected: { readonly check: string; readonly code: string } | null;
  /** Base64 of DER, by issuer. */
  readonly roots: Readonly<Record<string, readonly string[]>>;
  readonly policy: object;
  readonly context: {
    /** Unix seconds. */
    readonly now: number;
    /** Hex, or `unchecked`. */
    readonly nonce: string;
    readonly pcrSelection?: PcrSelection;
    readonly seen: readonly TpmSeen[];
    /** Base64 of DER. */
    readonly liveCertificate?: string;
    readonly ownerKeySha256?: string;
    /** Base64 of the JSON and of the signature. */
    readonly grant?: { readonly grant: string; readonly signature: string };
  };
  /** proto3 JSON of evidence.v1.Bundle. */
  readonly bundle: object;
}

/** The vector of one forgery; the same in every run. */
export function makeVector({ check, code, changes }: Forgery): Vector {
  const { bundle, policy, context } = fixture(changes);
  const { now, nonce, pcrSelection, seen, liveCertificate, ownerKeySha256, grant } = context;
  if (!seen || (nonce !== 'unchecked' && !(nonce instanceof Uint8Array)))
    throw new TypeError('not a fixture’s context');
  return {
    expected: check === undefined || code === undefined ? null : { check, code },
    roots: rootsToMembers(context.trust),
    policy: formatPolicy(policy),
    context: {
      now,
      nonce: nonce === 'unchecked' ? nonce : toHex(nonce),
      ...(pcrSelection && { pcrSelection }),
      seen,
      ...(liveCertificate && { liveCertificate: toBase64(liveCertificate) }),
      ...(ownerKeySha256 !== undefined && { ownerKeySha256 }),
      ...(grant && { grant: { grant: toBase64(grant.grant), signature: toBase64(grant.signature) } }),
    },
    bundle: JSON.parse(bundleToJson(bundle)),
  };
}

function binary(text: string, decode: (text: string) => Uint8Array | undefined): Uint8Array {
  const bytes = decode(text);
  if (!bytes) throw new TypeError(`${text} is not what a vector holds`);
  return bytes;
}

/** Read without the rules of roots.json: that no list is empty and that every root has a strong key is for the verdict to find. */
function rootsOf({ roots }: Vector): Roots {
  const of = (issuer: Issuer) => (roots[issuer] ?? []).map((der) => binary(der, fromBase64));
  return Object.fromEntries(ISSUERS.map((issuer) => [issuer, of(issuer)])) as unknown as Roots;
}

/** What a verifier makes of a vector's text; no bundle when its reading refuses it. */
export function openVector(vector: Vector): {
  bundle: Bundle | undefined;
  policy: Policy;
  context: VerifyContext;
} {
  const { nonce, liveCertificate, grant, ...context } = vector.context;
  const policy = parsePolicy(vector.policy);
  if (!policy.ok) throw new TypeError(policy.message);
  const bundle = bundleFromJson(JSON.stringify(vector.bundle));
  return {
    bundle: bundle.ok ? bundle.value : undefined,
    policy: policy.value,
    context: {
      ...context,
      crypto: nodeCrypto,
      trust: rootsOf(vector),
      nonce: nonce === 'unchecked' ? nonce : binary(nonce, fromHex),
      ...(liveCertificate !== undefined && { liveCertificate: binary(liveCertificate, fromBase64) }),
      ...(grant && {
        grant: { grant: binary(grant.grant, fromBase64), signature: binary(grant.signature, fromBase64) },
      }),
    },
  };
}
