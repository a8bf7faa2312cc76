import { OID_ENCLAVE_BINDING, OID_TPM_TRUST, OID_USER_BINDING } from '../../names/oids.ts';
import {
  type EnclaveBinding,
  encodeEnclaveBinding,
  encodeTpmTrust,
  encodeUserBinding,
  readEnclaveBinding,
  readTpmTrust,
  readUserBinding,
  type TpmTrust,
  type UserBinding,
} from './bindings.ts';
import type { DerReader } from './der-reader.ts';
import { contextTag, TAGS } from './der-tags.ts';
import {
  booleanTrue,
  element,
  namedBits,
  objectIdentifier,
  octetString,
  sequence,
  smallInteger,
} from './der-writer.ts';
import {
  encodeNameConstraints,
  encodeSubjectAltName,
  type NameConstraints,
  readNameConstraints,
  readSubjectAltName,
  type SubjectAltName,
} from './general-names.ts';

/** KeyUsage bits in order of their numbers (RFC 5280, 4.2.1.3). */
export const KEY_USAGES = [
  'digitalSignature',
  'nonRepudiation',
  'keyEncipherment',
  'dataEncipherment',
  'keyAgreement',
  'keyCertSign',
  'cRLSign',
  'encipherOnly',
  'decipherOnly',
] as const;
export type KeyUsage = (typeof KEY_USAGES)[number];

export interface BasicConstraints {
  readonly ca: boolean;
  readonly pathLength?: number | undefined;
}

/** Extensions of a certificate or of a request, those that this project reads. */
export interface ExtensionValues {
  readonly basicConstraints: BasicConstraints;
  readonly keyUsage: readonly KeyUsage[];
  /** Object identifiers, dotted. */
  readonly extendedKeyUsage: readonly string[];
  readonly subjectAltName: SubjectAltName;
  readonly nameConstraints: NameConstraints;
  readonly subjectKeyIdentifier: Uint8Array;
  readonly authorityKeyIdentifier: Uint8Array;
  readonly enclaveBinding: EnclaveBinding;
  readonly userBinding: UserBinding;
  readonly tpmTrust: TpmTrust;
}
export type Extensions = { readonly [K in keyof ExtensionValues]?: ExtensionValues[K] | undefined };

/** What was there besides: object identifiers of extensions that this project does not read. */
export type ParsedExtensions = Extensions & {
  readonly unknownCritical: readonly string[];
  readonly unknown: readonly string[];
};

interface ExtensionCodec<T> {
  readonly oid: string;
  readonly critical: boolean;
  readonly encode: (value: T) => Uint8Array;
  readonly read: (reader: DerReader) => T;
}
type Codecs = { readonly [K in keyof ExtensionValues]: ExtensionCodec<ExtensionValues[K]> };

/** One row an extension: identifier, whether we write it critical, codec (RFC 5280, 4.2.1, and docs/evidence-format.md). */
const CODECS: Codecs = {
  basicConstraints: {
    oid: '2.5.29.19',
    critical: true,
    encode: ({ ca, pathLength }) =>
      sequence(
        ...(ca ? [booleanTrue()] : []),
        ...(pathLength === undefined ? [] : [smallInteger(pathLength)]),
      ),
    read: readBasicConstraints,
  },
  keyUsage: {
    oid: '2.5.29.15',
    critical: true,
    encode: (usages) => namedBits(usages.map((usage) => KEY_USAGES.indexOf(usage))),
    read: readKeyUsage,
  },
  extendedKeyUsage: {
    oid: '2.5.29.37',
    critical: false,
    encode: (oids) => sequence(...oids.map(objectIdentifier)),
    read: readExtendedKeyUsage,
  },
  subjectAltName: {
    oid: '2.5.29.17',
    critical: false,
    encode: encodeSubjectAltName,
    read: readSubjectAltName,
  },
  nameConstraints: {
    oid: '2.5.29.30',
    critical: true,
    encode: encodeNameConstraints,
    read: readNameConstraints,
  },
  subjectKeyIdentifier: {
    oid: '2.5.29.14',
    critical: false,
    encode: octetString,
    read: (reader) => reader.octetString('subjectKeyIdentifier'),
  },
  authorityKeyIdentifier: {
    oid: '2.5.29.35',
    critical: false,
    encode: (identifier) => sequence(element(contextTag(0), identifier)),
    read: readAuthorityKeyIdentifier,
  },
  enclaveBinding: {
    oid: OID_ENCLAVE_BINDING,
    critical: false,
    encode: encodeEnclaveBinding,
    read: readEnclaveBinding,
  },
  userBinding: { oid: OID_USER_BINDING, critical: false, encode: encodeUserBinding, read: readUserBinding },
  tpmTrust: { oid: OID_TPM_TRUST, critical: false, encode: encodeTpmTrust, read: readTpmTrust },
};
const MEMBER_OF: ReadonlyMap<string, keyof Extensions> = new Map(
  (Object.keys(CODECS) as (keyof Extensions)[]).map((member) => [CODECS[member].oid, member]),
);
const MAX_EXTENSIONS = 32;

function readBasicConstraints(reader: DerReader): BasicConstraints {
  const fields = reader.sequence('basicConstraints');
  const written = fields.next(TAGS.boolean);
  const ca = written && fields.boolean('cA');
  if (written && !ca) fields.fail('basicConstraints: DEFAULT FALSE is written', 'x509-not-der');
  const pathLength = fields.next(TAGS.integer) ? fields.smallInteger('pathLenConstraint') : undefined;
  if (pathLength !== undefined && !ca) fields.fail('basicConstraints: path length without cA');
  fields.end('basicConstraints');
  return { ca, pathLength };
}

function readKeyUsage(reader: DerReader): KeyUsage[] {
  const bits = reader.namedBits('keyUsage');
  if (bits.length === 0 || bits.some((bit) => bit >= KEY_USAGES.length))
    reader.fail('keyUsage: none, or an unknown bit');
  return bits.flatMap((bit) => KEY_USAGES[bit] ?? []);
}

function readExtendedKeyUsage(reader: DerReader): string[] {
  const list = reader.sequence('extKeyUsage');
  const oids: string[] = [];
  if (list.done) list.fail('extKeyUsage: empty');
  while (!list.done && oids.length < MAX_EXTENSIONS) oids.push(list.objectIdentifier('extKeyUsage'));
  list.end('extKeyUsage');
  return oids;
}

/** The key identifier; issuer and serial are allowed and not used. */
function readAuthorityKeyIdentifier(reader: DerReader): Uint8Array {
  const fields = reader.sequence('authorityKeyIdentifier');
  const identifier = fields.next(contextTag(0))
    ? fields.content(contextTag(0), 'keyIdentifier')
    : new Uint8Array(0);
  while (!fields.done) fields.raw('authorityKeyIdentifier');
  return identifier;
}

function encodeOne<K extends keyof ExtensionValues>(
  member: K,
  extensions: Extensions,
  critical: boolean,
): Uint8Array[] {
  const codec: ExtensionCodec<ExtensionValues[K]> = CODECS[member];
  const value: ExtensionValues[K] | undefined = extensions[member] ?? undefined;
  if (value === undefined) return [];
  return [
    sequence(
      objectIdentifier(codec.oid),
      ...(critical || codec.critical ? [booleanTrue()] : []),
      octetString(codec.encode(value)),
    ),
  ];
}

/**
 * Extensions ::= SEQUENCE OF Extension, in the order of the table; empty when none is given.
 * @param criticalSan RFC 5280, 4.1.2.6: the subjectAltName is critical when the subject is empty
 */
export function encodeExtensions(extensions: Extensions, criticalSan: boolean): Uint8Array | undefined {
  const list = (Object.keys(CODECS) as (keyof Extensions)[]).flatMap((member) =>
    encodeOne(member, extensions, criticalSan && member === 'subjectAltName'),
  );
  return list.length === 0 ? undefined : sequence(...list);
}

/** Reads an Extensions sequence: each once, known ones typed, unknown ones named. */
export function readExtensions(reader: DerReader): ParsedExtensions {
  const list = reader.sequence('extensions');
  const values: Partial<Record<keyof Extensions, unknown>> = {};
  const seen = new Set<string>();
  const unknownCritical: string[] = [];
  const unknown: string[] = [];
  if (list.done) list.fail('extensions: empty');
  while (!list.done) {
    const fields = list.sequence('extension');
    const oid = fields.objectIdentifier('extension');
    const written = fields.next(TAGS.boolean);
    const critical = written && fields.boolean('critical');
    if (written && !critical) fields.fail('extension: DEFAULT FALSE is written', 'x509-not-der');
    const content = fields.over(fields.octetString('extension'));
    fields.end('extension');
    if (seen.has(oid)) list.fail(`extension ${oid}: there twice`);
    if (seen.add(oid).size > MAX_EXTENSIONS) list.fail(`more than ${MAX_EXTENSIONS} extensions`);
    const member = MEMBER_OF.get(oid);
    if (member === undefined) (critical ? unknownCritical : unknown).push(oid);
    else {
      values[member] = CODECS[member].read(content);
      content.end(`extension ${oid}`);
    }
  }
  return { ...(values as Extensions), unknownCritical, unknown };
}
