import { fromUtf8, toUtf8 } from '../bytes/bytes.ts';
import type { DerReader } from './der-reader.ts';
import { constructedTag, contextTag } from './der-tags.ts';
import { element, sequence } from './der-writer.ts';

/** GeneralNames (RFC 5280, 4.2.1.6) of the kinds that this project uses; `others` counts the rest. */
export interface SubjectAltName {
  readonly dns: readonly string[];
  readonly uri: readonly string[];
  /** 4 or 16 bytes each. */
  readonly ip?: readonly Uint8Array[] | undefined;
  readonly others?: number | undefined;
}

/** Permitted and excluded subtrees (RFC 5280, 4.2.1.10): DNS domains and URI hosts; `others` counts other kinds. */
export interface NameConstraints {
  readonly permitted: Subtrees;
  readonly excluded: Subtrees;
}
export interface Subtrees {
  readonly dns: readonly string[];
  readonly uri: readonly string[];
  readonly others: number;
}

const DNS = contextTag(2);
const URI = contextTag(6);
const IP = contextTag(7);
const MAX_NAMES = 64;
const MAX_NAME_BYTES = 2048;

export function encodeSubjectAltName(names: SubjectAltName): Uint8Array {
  return sequence(
    ...names.dns.map((name) => element(DNS, toUtf8(name))),
    ...names.uri.map((name) => element(URI, toUtf8(name))),
    ...(names.ip ?? []).map((address) => element(IP, address)),
  );
}

/** Visible ASCII: an IA5String that hides nothing. */
function ascii(reader: DerReader, content: Uint8Array, what: string): string {
  const text = fromUtf8(content) ?? '';
  if (content.length > MAX_NAME_BYTES || !/^[\x21-\x7e]*$/.test(text) || (text === '' && content.length > 0))
    reader.fail(`${what}: not visible ASCII of at most ${MAX_NAME_BYTES} bytes`);
  return text;
}

export function readSubjectAltName(reader: DerReader): SubjectAltName {
  const what = 'subjectAltName';
  const names = reader.sequence(what);
  const dns: string[] = [];
  const uri: string[] = [];
  const ip: Uint8Array[] = [];
  let others = 0;
  if (names.done) names.fail(`${what}: empty`);
  while (!names.done) {
    if (names.next(DNS)) dns.push(ascii(names, names.content(DNS, what), what));
    else if (names.next(URI)) uri.push(ascii(names, names.content(URI, what), what));
    else if (names.next(IP)) ip.push(names.content(IP, what));
    else {
      names.raw(what);
      others++;
    }
    if (dns.length + uri.length + ip.length + others > MAX_NAMES)
      names.fail(`${what}: more than ${MAX_NAMES} names`);
  }
  if (dns.includes('') || uri.includes('')) names.fail(`${what}: an empty name`);
  if (ip.some((address) => address.length !== 4 && address.length !== 16))
    names.fail(`${what}: not an IP address`);
  return { dns, uri, ip, others };
}

export function encodeNameConstraints(constraints: NameConstraints): Uint8Array {
  const subtrees = (tag: number, { dns, uri }: Subtrees) =>
    dns.length + uri.length === 0
      ? []
      : [
          element(
            tag,
            ...dns.map((base) => sequence(element(DNS, toUtf8(base)))),
            ...uri.map((base) => sequence(element(URI, toUtf8(base)))),
          ),
        ];
  return sequence(
    ...subtrees(constructedTag(0), constraints.permitted),
    ...subtrees(constructedTag(1), constraints.excluded),
  );
}

export function readNameConstraints(reader: DerReader): NameConstraints {
  const what = 'nameConstraints';
  const both = reader.sequence(what);
  if (both.done) both.fail(`${what}: empty`);
  const permitted = readSubtrees(both, constructedTag(0), what);
  const excluded = readSubtrees(both, constructedTag(1), what);
  both.end(what);
  return { permitted, excluded };
}

function readSubtrees(both: DerReader, tag: number, what: string): Subtrees {
  const dns: string[] = [];
  const uri: string[] = [];
  let others = 0;
  if (!both.next(tag)) return { dns, uri, others };
  const list = both.inside(tag, what);
  if (list.done) list.fail(`${what}: an empty list`);
  while (!list.done) {
    // minimum and maximum are never used (RFC 5280, 4.2.1.10), so a subtree is its base alone.
    const subtree = list.sequence(what);
    if (subtree.next(DNS)) dns.push(ascii(subtree, subtree.content(DNS, what), what));
    else if (subtree.next(URI)) uri.push(ascii(subtree, subtree.content(URI, what), what));
    else {
      subtree.raw(what);
      others++;
    }
    subtree.end(what);
    if (dns.length + uri.length + others > MAX_NAMES) list.fail(`${what}: more than ${MAX_NAMES} subtrees`);
  }
  return { dns, uri, others };
}
