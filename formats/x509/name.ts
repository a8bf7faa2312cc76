import type { DerReader } from './der-reader.ts';
import { TAGS } from './der-tags.ts';
import { objectIdentifier, sequence, setOf, utf8String } from './der-writer.ts';

const COMMON_NAME = '2.5.4.3';
const ORGANIZATION = '2.5.4.10';
const MAX_ATTRIBUTES = 32;
const MAX_TEXT_BYTES = 256;

/** What this project reads of a distinguished name. Other attributes are compared as bytes, never read. */
export interface Name {
  readonly commonName?: string | undefined;
  readonly organizations?: readonly string[] | undefined;
}

/** Name (RFC 5280, 4.1.2.4) of one attribute each: organizations first, then the common name, all UTF8String. */
export function encodeName(name: Name): Uint8Array {
  const attribute = (type: string, text: string) => setOf(sequence(objectIdentifier(type), utf8String(text)));
  return sequence(
    ...(name.organizations ?? []).map((text) => attribute(ORGANIZATION, text)),
    ...(name.commonName === undefined ? [] : [attribute(COMMON_NAME, name.commonName)]),
  );
}

/** Reads a Name from `reader`'s fault domain: the last common name and every organization, in order. */
export function readName(reader: DerReader, what: string): Name {
  const organizations: string[] = [];
  let commonName: string | undefined;
  let attributes = 0;
  while (!reader.done) {
    const set = reader.inside(TAGS.set, what);
    do {
      if (++attributes > MAX_ATTRIBUTES) reader.fail(`${what}: more than ${MAX_ATTRIBUTES} attributes`);
      const pair = set.sequence(what);
      const type = pair.objectIdentifier(what);
      const text = readText(pair, what, type === COMMON_NAME || type === ORGANIZATION);
      pair.end(what);
      if (type === COMMON_NAME) commonName = text;
      if (type === ORGANIZATION) organizations.push(text);
    } while (!set.done);
  }
  return { commonName, organizations };
}

function readText(pair: DerReader, what: string, wanted: boolean): string {
  for (const tag of [TAGS.utf8String, TAGS.printableString, TAGS.ia5String])
    if (pair.next(tag)) return pair.text(pair.content(tag, what), what, MAX_TEXT_BYTES);
  pair.raw(what);
  if (wanted) pair.fail(`${what}: neither UTF8String nor PrintableString`);
  return '';
}
