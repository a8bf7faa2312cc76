import { bitString, element, objectIdentifier, sequence } from '../../formats/x509/der-writer.ts';
import { type Credential, createCredential } from '../../platform/identity/credential.ts';
import { generateKey } from '../../platform/identity/key-pair.ts';
import { createTestAuthority, type IssueFields } from '../support/test-authority.ts';
import { authorities, owner, userCredential } from './trust-fixture.ts';

/** The elements inside a DER element. */
function elementsOf(der: Uint8Array): Uint8Array[] {
  const size = (at: number): { header: number; length: number } => {
    const first = der[at + 1] ?? 0;
    const more = first < 128 ? 0 : first - 128;
    let length = more === 0 ? first : 0;
    for (let i = 0; i < more; i += 1) length = length * 256 + (der[at + 2 + i] ?? 0);
    return { header: 2 + more, length };
  };
  const found: Uint8Array[] = [];
  for (let at = size(0).header; at < der.length; ) {
    const { header, length } = size(at);
    found.push(der.subarray(at, at + header + length));
    at += header + length;
  }
  return found;
}

/** A user's certificate with other extensions, signed all the same. */
export function withExtensions(change: (extensions: Uint8Array[]) => Uint8Array[]): Credential {
  const [tbs, algorithm] = elementsOf(userCredential(owner).chain[0] ?? new Uint8Array());
  const fields = elementsOf(tbs ?? new Uint8Array());
  const [list] = elementsOf(fields.at(-1) ?? new Uint8Array());
  const extensions = change(elementsOf(list ?? new Uint8Array()));
  const changed = sequence(...fields.slice(0, -1), element(0xa3, sequence(...extensions)));
  const signature = bitString(authorities.users.key.sign(changed));
  return createCredential(owner.privateKey, [sequence(changed, algorithm ?? new Uint8Array(), signature)]);
}

/** What is between a users root and the user: no issuer of ours has one. */
const intermediate = generateKey();
export const intermediateAuthority = {
  ...authorities.users,
  certify: (spki: Uint8Array, fields: IssueFields) =>
    createTestAuthority('between', intermediate).certify(spki, fields),
};

const KEY_USAGE = objectIdentifier('2.5.29.15');
/** Where the key usage is (RFC 5280, 4.2.1.3). */
export const keyUsageAt = (extensions: Uint8Array[]): number =>
  extensions.findIndex((each) => Buffer.from(each).includes(Buffer.from(KEY_USAGE)));
