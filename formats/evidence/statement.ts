import { toUtf8 } from '../bytes/bytes.ts';
import { type Result, refuse } from '../bytes/result.ts';
import type { EvidenceCode } from './evidence-code.ts';
import {
  base64urlText,
  integer,
  list,
  object,
  oneOf,
  readJson,
  type Shape,
  sha256Hex,
  text,
} from './json-shape.ts';
import { parseSpiffeId } from './spiffe-id.ts';

export const STATEMENT_PROFILE = 'tag:enclave-licensing.dev,2026:statement/1';
export const MAX_STATEMENT_BYTES = 16_384;
const MAX_STATEMENT_IMAGES = 64;

/** One container of the pod and its image, pinned by manifest digest. */
export interface StatementImage {
  readonly container: string;
  /** `name@sha256:<64 hex>`, as the pod's spec has it. */
  readonly image: string;
}

/** What the API server's view of the pod says. */
export interface StatementPod {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly serviceAccount: string;
  readonly node: string;
  readonly enclave: string;
  readonly images: readonly StatementImage[];
  /** Lower-case hex; `injection` computes it offline too. */
  readonly specSha256: string;
}

/** Who gets in, and where the sidecar leads. */
export interface StatementAccess {
  readonly mode: 'tcp' | 'http';
  readonly upstream: string;
  readonly auth: 'mtls' | 'jwt';
  /** Lower-case hex SHA-256 of the owner key's SPKI; absent only with `auth: jwt`. */
  readonly ownerKeySha256?: string | undefined;
  /** Lower-case hex SHA-256 of the text of roots.json that the sidecar started with. */
  readonly rootsSha256: string;
}

/** SHA-256 of the certificate's DER (RFC 8705, 3.1), or of the key's SPKI before there is a certificate; base64url. */
export type StatementConfirmation = { readonly 'x5t#S256': string } | { readonly 'spki#S256': string };

/** The claims that a quote covers: an EAT profile (RFC 9711) in JSON (docs/evidence-format.md). */
export interface Statement {
  readonly eat_profile: typeof STATEMENT_PROFILE;
  /** base64url of 16 to 64 bytes. */
  readonly eat_nonce: string;
  /** Unix seconds. */
  readonly iat: number;
  /** SPIFFE ID of the pod's service account. */
  readonly sub: string;
  readonly cnf: StatementConfirmation;
  readonly pod: StatementPod;
  readonly access: StatementAccess;
}

const LABEL = text(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/, 63, 'a DNS label');
const SUBDOMAIN = text(/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/, 253, 'a DNS name');
const POD_UID = text(/^[0-9A-Za-z]([-0-9A-Za-z]*[0-9A-Za-z])?$/, 64, 'a pod UID');
const IMAGE = text(/^[a-z0-9][-a-z0-9._/:]*@sha256:[0-9a-f]{64}$/, 512, 'an image pinned by SHA-256 digest');
const UPSTREAM = text(/^[\x21-\x7e]+$/, 256, 'an upstream');
const HASH = base64urlText(32, 32);

const SHAPE = object({
  eat_profile: oneOf(STATEMENT_PROFILE),
  eat_nonce: base64urlText(16, 64),
  iat: integer(0, 253_402_300_799),
  sub: text(/^spiffe:/, 600, 'a SPIFFE ID'),
  cnf: object({}, { 'x5t#S256': HASH, 'spki#S256': HASH }),
  pod: object({
    namespace: LABEL,
    name: SUBDOMAIN,
    uid: POD_UID,
    serviceAccount: SUBDOMAIN,
    node: SUBDOMAIN,
    enclave: SUBDOMAIN,
    images: list(object({ container: LABEL, image: IMAGE }), 1, MAX_STATEMENT_IMAGES),
    specSha256: sha256Hex,
  }),
  access: object(
    { mode: oneOf('tcp', 'http'), upstream: UPSTREAM, auth: oneOf('mtls', 'jwt'), rootsSha256: sha256Hex },
    { ownerKeySha256: sha256Hex },
  ),
}) satisfies Shape<unknown>;

/**
 * JSON of a statement, members in the order of the type.
 * @throws RangeError when `parseStatement` would refuse it: the agent makes it from what the API server says
 */
export function encodeStatement(statement: Statement): Uint8Array {
  const bytes = toUtf8(JSON.stringify(statement));
  const parsed = parseStatement(bytes);
  if (!parsed.ok) throw new RangeError(parsed.message);
  return bytes;
}

/**
 * Reads a statement: closed schema, every member once, at most 16 KiB, exactly one confirmation, `sub` naming the
 * pod's own namespace and service account, each container once, an owner key unless `auth: jwt`. Parse only what a
 * quote was verified to cover.
 */
export function parseStatement(bytes: Uint8Array): Result<Statement, EvidenceCode> {
  const read = readJson(bytes, SHAPE, { maxBytes: MAX_STATEMENT_BYTES, maxDepth: 5 }, 'the statement');
  if (!read.ok) return read;
  const no = (message: string) =>
    refuse<EvidenceCode>(
      'evidence-out-of-bounds',
      `the statement: ${message}`,
      'ask the agent for a new quote',
    );
  const { cnf, sub, pod, access } = read.value;
  if (Object.keys(cnf).length !== 1) return no('cnf has exactly one member');
  const id = parseSpiffeId(sub);
  if (id === undefined || id.namespace !== pod.namespace || id.serviceAccount !== pod.serviceAccount)
    return no('sub is not the SPIFFE ID of the pod');
  if (new Set(pod.images.map(({ container }) => container)).size !== pod.images.length)
    return no('a container is there twice');
  if (access.ownerKeySha256 === undefined && access.auth === 'mtls')
    return no('no owner key, and auth is mtls');
  return { ok: true, value: { ...read.value, cnf: cnf as StatementConfirmation } };
}
