import type { SignedTrustDocument } from '../../proto/gen/enclave_licensing/evidence/v1/trust_document.ts';
import { toBase64url } from '../bytes/base64.ts';
import { equal, toUtf8 } from '../bytes/bytes.ts';
import { type Result, refuse, success } from '../bytes/result.ts';
import { Writer } from '../bytes/writer.ts';
import type { Crypto } from '../crypto/crypto.ts';
import { parseCertificate } from '../x509/certificate.ts';
import type { EvidenceCode } from './evidence-code.ts';
import {
  base64url,
  base64urlText,
  integer,
  list,
  object,
  oneOf,
  readJson,
  type Shape,
  sha256Hex,
  text,
  where,
} from './json-shape.ts';
import { ROOTS_SHAPE, type Roots, rootsProblem, rootsToMembers } from './roots.ts';

export type { SignedTrustDocument };

export const TRUST_DOCUMENT_VERSION = 'enclave-trust/1';
export const MAX_TRUST_DOCUMENT_BYTES = 491_520;

/** A public ES256 key of front (RFC 7517, RFC 7518 6.2). */
export interface TokenKey {
  readonly kty: 'EC';
  readonly crv: 'P-256';
  readonly x: string;
  readonly y: string;
  readonly kid: string;
  readonly alg?: 'ES256';
  readonly use?: 'sig';
}

/** PCRs that every quote in the cluster covers, exactly. */
export interface PcrSelection {
  readonly hash: 'sha256' | 'sha384';
  /** Ascending, each once, 0 to 15: the resettable ones say nothing. */
  readonly pcrs: readonly number[];
}

/** What everybody in the cluster trusts at the moment (docs/evidence-format.md). Times are Unix seconds, hashes lower-case hex. */
export interface TrustDocument {
  readonly v: typeof TRUST_DOCUMENT_VERSION;
  /** Grows with every change. */
  readonly version: number;
  readonly issuedAt: number;
  readonly roots: Roots;
  /** `rootsSha256` of the current set of roots and of earlier ones that pods may still carry. */
  readonly rootSets: readonly string[];
  readonly revoked: {
    readonly certificates: readonly { readonly podUid: string; readonly until: number }[];
    readonly users: readonly { readonly user: string }[];
    readonly grants: readonly {
      readonly ownerKeySha256: string;
      readonly keySha256: string;
      readonly enclave: string;
      readonly until: number;
    }[];
  };
  readonly pcrSelection: PcrSelection;
  readonly tokenKeys: { readonly keys: readonly TokenKey[] };
  /** Nonces of 32 bytes, new each minute. */
  readonly epoch: { readonly current: Uint8Array; readonly previous: Uint8Array; readonly at: number };
}

const TIME = integer(0, 253_402_300_799);
const NAME = text(/^[^\p{Cc}]+$/u, 253, 'a name of 1 to 253 characters');
const COORDINATE = base64urlText(32, 32);
const MAX_REVOKED = 1500;
const ascendingPcrs = where(
  list(integer(0, 15), 1, 16),
  (pcrs) => pcrs.every((pcr, i) => i === 0 || pcr > (pcrs[i - 1] ?? pcr)),
  'an ascending list of PCRs',
);

/** Members of the document that the certificate service also keeps by themselves. */
export const ROOT_SETS_SHAPE = list(sha256Hex, 1, 64);
export const REVOKED_SHAPE = object({
  certificates: list(object({ podUid: NAME, until: TIME }), 0, MAX_REVOKED),
  users: list(object({ user: NAME }), 0, MAX_REVOKED),
  grants: list(
    object({ ownerKeySha256: sha256Hex, keySha256: sha256Hex, enclave: NAME, until: TIME }),
    0,
    MAX_REVOKED,
  ),
});
export const TOKEN_KEYS_SHAPE = list(
  object(
    { kty: oneOf('EC'), crv: oneOf('P-256'), x: COORDINATE, y: COORDINATE, kid: NAME },
    { alg: oneOf('ES256'), use: oneOf('sig') },
  ),
  0,
  16,
);
export const EPOCH_SHAPE = object({ current: base64url(32, 32), previous: base64url(32, 32), at: TIME });

const SHAPE = object({
  v: oneOf(TRUST_DOCUMENT_VERSION),
  version: integer(1, Number.MAX_SAFE_INTEGER),
  issuedAt: TIME,
  roots: ROOTS_SHAPE,
  rootSets: ROOT_SETS_SHAPE,
  revoked: REVOKED_SHAPE,
  pcrSelection: object({ hash: oneOf('sha256', 'sha384'), pcrs: ascendingPcrs }),
  tokenKeys: object({ keys: TOKEN_KEYS_SHAPE }),
  epoch: EPOCH_SHAPE,
}) satisfies Shape<unknown>;

/** UTF-8 JSON, members in the order of the type. @throws RangeError when `parseTrustDocument` would refuse it */
export function encodeTrustDocument(document: TrustDocument): Uint8Array {
  const { roots, epoch, ...rest } = document;
  const bytes = toUtf8(
    JSON.stringify({
      ...rest,
      roots: rootsToMembers(roots),
      epoch: { current: toBase64url(epoch.current), previous: toBase64url(epoch.previous), at: epoch.at },
    } satisfies Record<string, unknown>),
  );
  const parsed = parseTrustDocument(bytes);
  if (!parsed.ok) throw new RangeError(parsed.message);
  return bytes;
}

/** Reads a document: closed schema, at most 480 KiB, roots that are P-256 CAs. Whether to believe it: `acceptTrustDocument`. */
export function parseTrustDocument(bytes: Uint8Array): Result<TrustDocument, EvidenceCode> {
  const bounds = { maxBytes: MAX_TRUST_DOCUMENT_BYTES, maxDepth: 4 };
  const read = readJson(bytes, SHAPE, bounds, 'the trust document');
  if (!read.ok) return read;
  const problem = rootsProblem(read.value.roots);
  return problem === undefined
    ? success(read.value)
    : refuse(
        'evidence-out-of-bounds',
        `the trust document: ${problem}`,
        'the certificate service must publish another',
      );
}

/** What the system root signs with ECDSA and SHA-256: `"enclave-trust/1" || len32(document) || document`. */
export function trustDocumentMessage(document: Uint8Array): Uint8Array {
  return new Writer().bytes(toUtf8(TRUST_DOCUMENT_VERSION)).sized32(document).finish();
}

/**
 * Signs a document.
 * @param systemRootSpki SubjectPublicKeyInfo of the signing root, DER
 * @param sign ECDSA with SHA-256 over the message's bytes, DER of Ecdsa-Sig-Value
 */
export function signTrustDocument(
  crypto: Crypto,
  document: TrustDocument,
  systemRootSpki: Uint8Array,
  sign: (message: Uint8Array) => Uint8Array,
): SignedTrustDocument {
  const bytes = encodeTrustDocument(document);
  return {
    document: bytes,
    signer: crypto.hash('sha256', systemRootSpki),
    signature: sign(trustDocumentMessage(bytes)),
  };
}

/** What the receiver holds: its roots, and the version of its newest document (0 when none). */
export interface HeldTrust {
  readonly roots: Roots;
  readonly version: number;
}

/**
 * Accepts a document only when a `system` root that is already held signed it and its version is above the one held
 * (the same version again is a rollback too: there is nothing new in it).
 */
export function acceptTrustDocument(
  crypto: Crypto,
  signed: SignedTrustDocument,
  held: HeldTrust,
): Result<TrustDocument, EvidenceCode> {
  if (signed.document.length > MAX_TRUST_DOCUMENT_BYTES || signed.signature.length > 128)
    return refuse(
      'evidence-too-large',
      'the trust document is over its bound',
      'the certificate service must shorten it',
    );
  const signer = held.roots.system
    .map((der) => parseCertificate(der))
    .find((root) => root.ok && equal(crypto.hash('sha256', root.value.spki), signed.signer));
  if (!signer?.ok)
    return refuse(
      'evidence-untrusted',
      'the trust document names a signer that is no system root held here',
      'give this component the roots of this cluster',
    );
  const { spki } = signer.value;
  if (!crypto.verifySignature(spki, 'ecdsa-sha256', trustDocumentMessage(signed.document), signed.signature))
    return refuse(
      'evidence-untrusted',
      'the signature of the trust document does not verify',
      'take it from the certificate service again',
    );
  const parsed = parseTrustDocument(signed.document);
  // Written so that a version that is missing, or no number, is refused.
  if (parsed.ok && !(parsed.value.version > held.version))
    return refuse(
      'evidence-rollback',
      `the trust document has version ${parsed.value.version}, ${held.version} is held`,
      'wait for a newer one',
    );
  return parsed;
}
