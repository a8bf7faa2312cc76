import { fromBase64url } from '../bytes/base64.ts';
import { fromUtf8, toUtf8 } from '../bytes/bytes.ts';
import { type Result, refuse, success } from '../bytes/result.ts';
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

/** Names of Kubernetes objects and the like: whole texts below, and members of the plain form. */
const PATTERN = {
  label: '[a-z0-9](?:[-a-z0-9]*[a-z0-9])?',
  subdomain: '[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?',
  uid: '[0-9A-Za-z](?:[-0-9A-Za-z]*[0-9A-Za-z])?',
  image: '[a-z0-9][-a-z0-9._/:]*@sha256:[0-9a-f]{64}',
} as const;
const MAX = { label: 63, subdomain: 253, uid: 64, image: 512, upstream: 256, iat: 253_402_300_799 } as const;
const NONCE = { min: 16, max: 64 } as const;
const whole = (kind: keyof typeof PATTERN, what: string) =>
  text(new RegExp(`^${PATTERN[kind]}$`), MAX[kind], what);
const LABEL = whole('label', 'a DNS label');
const SUBDOMAIN = whole('subdomain', 'a DNS name');
const POD_UID = whole('uid', 'a pod UID');
const IMAGE = whole('image', 'an image pinned by SHA-256 digest');
const UPSTREAM = text(/^[\x21-\x7e]+$/, MAX.upstream, 'an upstream');
const HASH = base64urlText(32, 32);

const SHAPE = object({
  eat_profile: oneOf(STATEMENT_PROFILE),
  eat_nonce: base64urlText(NONCE.min, NONCE.max),
  iat: integer(0, MAX.iat),
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

const HEX = '[0-9a-f]{64}';
/** Visible ASCII without what a JSON string escapes. */
const VISIBLE = '[!#-\\[\\]-~]+';
/** The statement as `encodeStatement` writes it: no spaces, no escapes, members in the order of the type. */
const PLAIN = new RegExp(
  `^{"eat_profile":"${STATEMENT_PROFILE.replaceAll('.', '\\.')}","eat_nonce":"([-_0-9A-Za-z]{22,86})",` +
    `"iat":(0|[1-9][0-9]{0,11}),"sub":"(${VISIBLE})",` +
    // 32 bytes have one form: the last character stands for four bits.
    '"cnf":{"(x5t#S256|spki#S256)":"([-_0-9A-Za-z]{42}[AEIMQUYcgkosw048])"},' +
    `"pod":{"namespace":"(${PATTERN.label})","name":"(${PATTERN.subdomain})","uid":"(${PATTERN.uid})",` +
    `"serviceAccount":"(${PATTERN.subdomain})","node":"(${PATTERN.subdomain})","enclave":"(${PATTERN.subdomain})",` +
    `"images":\\[([^\\]]+)\\],"specSha256":"(${HEX})"},` +
    `"access":{"mode":"(tcp|http)","upstream":"(${VISIBLE})","auth":"(mtls|jwt)",` +
    `(?:"ownerKeySha256":"(${HEX})",)?"rootsSha256":"(${HEX})"}}$`,
);
const PLAIN_IMAGE = new RegExp(
  `{"container":"(${PATTERN.label})","image":"(${PATTERN.image})"}(?:,(?={)|$)`,
  'y',
);

/** The images of a statement in its plain form; undefined when they are not. */
function readPlainImages(text: string): StatementImage[] | undefined {
  const images: StatementImage[] = [];
  for (PLAIN_IMAGE.lastIndex = 0; PLAIN_IMAGE.lastIndex < text.length; ) {
    const [, container = '', image = ''] = PLAIN_IMAGE.exec(text) ?? [];
    if (image === '' || images.length === MAX_STATEMENT_IMAGES) return undefined;
    if (container.length > MAX.label || image.length > MAX.image) return undefined;
    images.push({ container, image });
  }
  return images;
}

/**
 * The statement that a text in the plain form holds, which leaves no room for other or duplicate members: read in a
 * third of the time that JSON takes, because every verification comes through here. Undefined for all other texts, good
 * or not: `SHAPE` decides (a test compares the two).
 */
function readPlain(bytes: Uint8Array): ReturnType<typeof SHAPE> | undefined {
  const found = bytes.length <= MAX_STATEMENT_BYTES ? PLAIN.exec(fromUtf8(bytes) ?? '') : null;
  if (!found) return undefined;
  const [, eat_nonce = '', seconds, sub = '', form, hash = '', namespace = '', name = '', uid = ''] = found;
  const [serviceAccount = '', node = '', enclave = '', listed = '', specSha256 = ''] = found.slice(9, 14);
  const [mode, upstream = '', auth, ownerKeySha256, rootsSha256 = ''] = found.slice(14);
  const iat = Number(seconds);
  const images = readPlainImages(listed);
  const nonce = fromBase64url(eat_nonce);
  if (!images || !nonce || nonce.length < NONCE.min || nonce.length > NONCE.max || iat > MAX.iat)
    return undefined;
  if (Math.max(name.length, serviceAccount.length, node.length, enclave.length) > MAX.subdomain)
    return undefined;
  if (namespace.length > MAX.label || uid.length > MAX.uid || upstream.length > MAX.upstream)
    return undefined;
  return {
    eat_profile: STATEMENT_PROFILE,
    eat_nonce,
    iat,
    sub,
    cnf: form === 'x5t#S256' ? { 'x5t#S256': hash } : { 'spki#S256': hash },
    pod: { namespace, name, uid, serviceAccount, node, enclave, images, specSha256 },
    access: {
      mode: mode === 'tcp' ? mode : 'http',
      upstream,
      auth: auth === 'jwt' ? auth : 'mtls',
      ...(ownerKeySha256 === undefined ? {} : { ownerKeySha256 }),
      rootsSha256,
    },
  };
}

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

/** A statement in any form of JSON. */
function readStatement(bytes: Uint8Array): Result<ReturnType<typeof SHAPE>, EvidenceCode> {
  return readJson(bytes, SHAPE, { maxBytes: MAX_STATEMENT_BYTES, maxDepth: 5 }, 'the statement');
}

/**
 * Reads a statement: closed schema, every member once, at most 16 KiB, exactly one confirmation, `sub` naming the
 * pod's own namespace and service account, each container once, an owner key unless `auth: jwt`. Parse only what a
 * quote was verified to cover.
 */
export function parseStatement(bytes: Uint8Array): Result<Statement, EvidenceCode> {
  const plain = readPlain(bytes);
  const read = plain ? success(plain) : readStatement(bytes);
  if (!read.ok) return read;
  const no = (message: string) =>
    refuse<EvidenceCode>(
      'evidence-out-of-bounds',
      `the statement: ${message}`,
      'ask the agent for a new quote',
    );
  const { cnf, sub, pod, access } = read.value;
  if ('x5t#S256' in cnf === 'spki#S256' in cnf) return no('cnf has exactly one member');
  const id = parseSpiffeId(sub);
  if (id === undefined || id.namespace !== pod.namespace || id.serviceAccount !== pod.serviceAccount)
    return no('sub is not the SPIFFE ID of the pod');
  const { images } = pod;
  if (images.length > 1 && new Set(images.map(({ container }) => container)).size !== images.length)
    return no('a container is there twice');
  if (access.ownerKeySha256 === undefined && access.auth === 'mtls')
    return no('no owner key, and auth is mtls');
  return success(read.value as Statement);
}
