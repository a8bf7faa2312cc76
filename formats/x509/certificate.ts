import { toHex } from '../bytes/bytes.ts';
import { type Result, refuse, success } from '../bytes/result.ts';
import type { Crypto, SignatureScheme } from '../crypto/crypto.ts';
import { DerReader, type Dialect } from './der-reader.ts';
import { constructedTag, TAGS } from './der-tags.ts';
import { bitString, element, sequence, smallInteger, time, unsignedInteger } from './der-writer.ts';
import { type Extensions, encodeExtensions, type ParsedExtensions, readExtensions } from './extensions.ts';
import { encodeName, type Name, readName } from './name.ts';
import { type PublicKeyKind, publicKeyKind } from './public-key.ts';
import { decodeSignatureAlgorithm, encodeSignatureAlgorithm } from './signature-algorithm.ts';
import type { X509Code } from './x509-code.ts';

export const MAX_CERTIFICATE_BYTES = 8192;

/** An X.509 version 3 certificate (RFC 5280, 4.1). Byte strings are views into `der`. */
export interface Certificate {
  readonly der: Uint8Array;
  readonly tbs: Uint8Array;
  /** Lower-case hex of the INTEGER's content. */
  readonly serial: string;
  /** Name, DER. */
  readonly issuer: Uint8Array;
  /** Name, DER. */
  readonly subject: Uint8Array;
  readonly commonName: string | undefined;
  readonly organizations: readonly string[];
  /** Unix seconds. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Uint8Array;
  /** Undefined for a key that this project does not use. */
  readonly keyKind: PublicKeyKind | undefined;
  readonly signatureAlgorithm: SignatureScheme;
  /** ECDSA: DER of Ecdsa-Sig-Value. */
  readonly signature: Uint8Array;
  readonly extensions: ParsedExtensions;
}

/**
 * Reads one certificate strictly: DER, version 3, algorithms of our tables, each extension once, at most 8 KiB,
 * nothing left over. Critical extensions that we do not know are listed in `extensions.unknownCritical`: whoever
 * judges the certificate refuses it.
 * @param dialect `tpm-vendor` for endorsement key certificates and their authorities alone
 */
export function parseCertificate(der: Uint8Array, dialect: Dialect = 'der'): Result<Certificate, X509Code> {
  if (der.length > MAX_CERTIFICATE_BYTES)
    return refuse(
      'x509-too-large',
      `certificate of ${der.length} bytes`,
      `send at most ${MAX_CERTIFICATE_BYTES} bytes`,
    );
  const outer = new DerReader(der, { dialect });
  const whole = outer.sequence('certificate');
  const tbs = whole.raw('TBSCertificate', TAGS.sequence);
  const algorithm = whole.raw('signatureAlgorithm', TAGS.sequence);
  const signature = whole.bitString('signature');
  whole.end('certificate');
  outer.end('certificate');

  const fields = outer.over(tbs).sequence('TBSCertificate');
  const version = fields.inside(constructedTag(0), 'version');
  if (version.smallInteger('version') !== 2) fields.fail('version 3 is expected', 'x509-unsupported');
  version.end('version');
  const serial = fields.integer('serialNumber', 20);
  if ((serial[0] ?? 0) >= 0x80) fields.fail('serialNumber: negative');
  const innerAlgorithm = fields.raw('signature', TAGS.sequence);
  const issuer = fields.raw('issuer', TAGS.sequence);
  const validity = fields.sequence('validity');
  const notBefore = validity.time('notBefore');
  const notAfter = validity.time('notAfter');
  validity.end('validity');
  const subject = fields.raw('subject', TAGS.sequence);
  const spki = fields.raw('subjectPublicKeyInfo', TAGS.sequence);
  // Unique identifiers ([1], [2]) are not of our profile, so [3] follows at once.
  const wrapped = fields.inside(constructedTag(3), 'extensions');
  const extensions = readExtensions(wrapped);
  wrapped.end('extensions');
  fields.end('TBSCertificate');

  readName(outer.over(issuer).sequence('issuer'), 'issuer');
  const name = readName(outer.over(subject).sequence('subject'), 'subject');
  const scheme = decodeSignatureAlgorithm(algorithm);
  if (scheme === undefined) outer.fail('signature algorithm is in no table', 'x509-unsupported');
  if (decodeSignatureAlgorithm(innerAlgorithm) !== scheme) outer.fail('the two signature algorithms differ');
  const fault = outer.fault;
  if (fault || scheme === undefined)
    return refuse(
      fault?.code ?? 'x509-malformed',
      `certificate: ${fault?.message}`,
      'send one DER certificate',
    );
  return success({
    der,
    tbs,
    serial: toHex(serial),
    issuer,
    subject,
    commonName: name.commonName,
    organizations: name.organizations ?? [],
    notBefore,
    notAfter,
    spki,
    keyKind: publicKeyKind(spki),
    signatureAlgorithm: scheme,
    signature,
    extensions,
  });
}

/** Whether the key of `issuer` (SPKI, DER) signed the certificate. Names, dates and usages are other checks. */
export function verifyCertificateSignature(
  crypto: Crypto,
  certificate: Certificate,
  issuer: Uint8Array,
): boolean {
  return crypto.verifySignature(
    issuer,
    certificate.signatureAlgorithm,
    certificate.tbs,
    certificate.signature,
  );
}

export interface CertificateFields {
  /** Unsigned, 1 to 20 bytes; the caller draws it at random. */
  readonly serial: Uint8Array;
  /** A name, or a Name's DER (an issuer's `subject`, taken over byte for byte). */
  readonly issuer: Name | Uint8Array;
  readonly subject: Name | Uint8Array;
  /** Unix seconds, whole. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Uint8Array;
  readonly extensions: Extensions;
}

function nameBytes(name: Name | Uint8Array): Uint8Array {
  return name instanceof Uint8Array ? name : encodeName(name);
}

/**
 * Encodes and signs one certificate.
 * @param sign signs the TBSCertificate's bytes with `scheme`; for ECDSA it returns the DER of Ecdsa-Sig-Value
 * @throws RangeError for fields that no certificate can hold: they are the caller's own
 */
export function buildCertificate(
  fields: CertificateFields,
  sign: (tbs: Uint8Array) => Uint8Array,
  scheme: SignatureScheme,
): Uint8Array {
  const algorithm = encodeSignatureAlgorithm(scheme);
  const subject = nameBytes(fields.subject);
  const serial = unsignedInteger(fields.serial);
  if (serial.length > 22) throw new RangeError('serial number of more than 20 bytes');
  const extensions = encodeExtensions(fields.extensions, subject.length === 2);
  if (!extensions) throw new RangeError('a certificate without extensions');
  const tbs = sequence(
    element(constructedTag(0), smallInteger(2)),
    serial,
    algorithm,
    nameBytes(fields.issuer),
    sequence(time(fields.notBefore), time(fields.notAfter)),
    subject,
    fields.spki,
    element(constructedTag(3), extensions),
  );
  return sequence(tbs, algorithm, bitString(sign(tbs)));
}
