import { OID_AA_EVIDENCE } from '../../names/oids.ts';
import { type Result, refuse, success } from '../bytes/result.ts';
import type { Crypto, SignatureScheme } from '../crypto/crypto.ts';
import { DerReader } from './der-reader.ts';
import { constructedTag, TAGS } from './der-tags.ts';
import {
  bitString,
  compareBytes,
  element,
  objectIdentifier,
  sequence,
  setOf,
  smallInteger,
} from './der-writer.ts';
import { encodeEvidenceAttribute, readEvidenceAttribute } from './evidence-attribute.ts';
import { encodeExtensions, type ParsedExtensions, readExtensions } from './extensions.ts';
import { encodeName, type Name, readName } from './name.ts';
import { decodeSignatureAlgorithm, encodeSignatureAlgorithm } from './signature-algorithm.ts';
import type { X509Code } from './x509-code.ts';

const MAX_CERTIFICATE_REQUEST_BYTES = 65_536;
/** pkcs-9-at-extensionRequest (RFC 2985, 5.4.2). */
const EXTENSION_REQUEST = '1.2.840.113549.1.9.14';
const MAX_ATTRIBUTES = 8;

export interface RequestAttributes {
  readonly extensionRequest?: ParsedExtensions | undefined;
  /** Content of our statement in id-aa-evidence: an encoded bundle without certificate chain. */
  readonly evidence?: Uint8Array | undefined;
  /** Object identifiers of attributes that we do not read. */
  readonly unknown: readonly string[];
}

/** A PKCS#10 certification request (RFC 2986, 4). Byte strings are views into `der`. */
export interface CertificateRequest {
  readonly der: Uint8Array;
  /** CertificationRequestInfo: what the signature covers. */
  readonly info: Uint8Array;
  /** Name, DER. */
  readonly subject: Uint8Array;
  readonly commonName: string | undefined;
  readonly spki: Uint8Array;
  readonly signatureAlgorithm: SignatureScheme;
  readonly signature: Uint8Array;
  readonly attributes: RequestAttributes;
}

/** Reads one request strictly: DER, at most 64 KiB, each attribute once with one value. Its signature is a separate check. */
export function parseCertificateRequest(der: Uint8Array): Result<CertificateRequest, X509Code> {
  if (der.length > MAX_CERTIFICATE_REQUEST_BYTES)
    return refuse(
      'x509-too-large',
      `request of ${der.length} bytes`,
      `send at most ${MAX_CERTIFICATE_REQUEST_BYTES}`,
    );
  const outer = new DerReader(der);
  const whole = outer.sequence('request');
  const info = whole.raw('CertificationRequestInfo', TAGS.sequence);
  const algorithm = whole.raw('signatureAlgorithm', TAGS.sequence);
  const signature = whole.bitString('signature');
  whole.end('request');
  outer.end('request');

  const fields = outer.over(info).sequence('CertificationRequestInfo');
  if (fields.smallInteger('version') !== 0) fields.fail('version 1 is expected', 'x509-unsupported');
  const subject = fields.raw('subject', TAGS.sequence);
  const spki = fields.raw('subjectPKInfo', TAGS.sequence);
  const attributes = readAttributes(fields.inside(constructedTag(0), 'attributes'));
  fields.end('CertificationRequestInfo');

  const name = readName(outer.over(subject).sequence('subject'), 'subject');
  const scheme = decodeSignatureAlgorithm(algorithm);
  if (scheme === undefined) outer.fail('signature algorithm is in no table', 'x509-unsupported');
  const fault = outer.fault;
  if (fault || scheme === undefined)
    return refuse(
      fault?.code ?? 'x509-malformed',
      `request: ${fault?.message}`,
      'send one PKCS#10 request in DER',
    );
  return success({
    der,
    info,
    subject,
    commonName: name.commonName,
    spki,
    signatureAlgorithm: scheme,
    signature,
    attributes,
  });
}

function readAttributes(set: DerReader): RequestAttributes {
  const what = 'attribute';
  const seen = new Set<string>();
  const unknown: string[] = [];
  let extensionRequest: ParsedExtensions | undefined;
  let evidence: Uint8Array | undefined;
  let previous: Uint8Array | undefined;
  while (!set.done) {
    const raw = set.raw(what, TAGS.sequence);
    if (previous && compareBytes(previous, raw) >= 0)
      set.fail('attributes: not in DER order', 'x509-not-der');
    previous = raw;
    const attribute = set.over(raw).sequence(what);
    const type = attribute.objectIdentifier(what);
    if (seen.has(type)) set.fail(`${what} ${type}: there twice`);
    if (seen.add(type).size > MAX_ATTRIBUTES) set.fail(`more than ${MAX_ATTRIBUTES} attributes`);
    const values = attribute.inside(TAGS.set, what);
    attribute.end(what);
    if (type === EXTENSION_REQUEST) extensionRequest = readExtensions(values);
    else if (type === OID_AA_EVIDENCE) evidence = readEvidenceAttribute(values);
    else {
      values.raw(what);
      unknown.push(type);
    }
    values.end(`${what} ${type}: one value`);
  }
  return { extensionRequest, evidence, unknown };
}

/** Whether the requester holds the key that it asks a certificate for (RFC 2986, 3). */
export function verifyRequestSignature(crypto: Crypto, request: CertificateRequest): boolean {
  return crypto.verifySignature(request.spki, request.signatureAlgorithm, request.info, request.signature);
}

export interface CertificateRequestFields {
  /** Empty when absent. */
  readonly subject?: Name | undefined;
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Uint8Array;
  readonly dns?: readonly string[] | undefined;
  readonly uri?: readonly string[] | undefined;
  /** An encoded bundle without certificate chain. */
  readonly evidence?: Uint8Array | undefined;
}

/**
 * Encodes and signs one request.
 * @param sign signs the CertificationRequestInfo's bytes with `scheme`; for ECDSA it returns the DER of Ecdsa-Sig-Value
 */
export function buildCertificateRequest(
  fields: CertificateRequestFields,
  sign: (info: Uint8Array) => Uint8Array,
  scheme: SignatureScheme,
): Uint8Array {
  const { dns = [], uri = [], evidence } = fields;
  const attributes: Uint8Array[] = [];
  const subject = encodeName(fields.subject ?? {});
  const names = dns.length + uri.length > 0 ? { subjectAltName: { dns, uri } } : {};
  const extensions = encodeExtensions(names, subject.length === 2);
  if (extensions) attributes.push(sequence(objectIdentifier(EXTENSION_REQUEST), setOf(extensions)));
  if (evidence)
    attributes.push(sequence(objectIdentifier(OID_AA_EVIDENCE), setOf(encodeEvidenceAttribute(evidence))));
  const info = sequence(
    smallInteger(0),
    subject,
    fields.spki,
    element(constructedTag(0), ...attributes.sort(compareBytes)),
  );
  return sequence(info, encodeSignatureAlgorithm(scheme), bitString(sign(info)));
}
