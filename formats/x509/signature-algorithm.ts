import { equal } from '../bytes/bytes.ts';
import type { SignatureScheme } from '../crypto/crypto.ts';
import { constructedTag, TAGS } from './der-tags.ts';
import { element, objectIdentifier, sequence, smallInteger } from './der-writer.ts';

const NULL = element(TAGS.null);

/** RSASSA-PSS-params (RFC 4055, 3.1): MGF1 with the same hash, salt as long as the hash. */
function pss(hashOid: string, saltLength: number): Uint8Array {
  const hash = sequence(objectIdentifier(hashOid), NULL);
  return sequence(
    objectIdentifier('1.2.840.113549.1.1.10'),
    sequence(
      element(constructedTag(0), hash),
      element(constructedTag(1), sequence(objectIdentifier('1.2.840.113549.1.1.8'), hash)),
      element(constructedTag(2), smallInteger(saltLength)),
    ),
  );
}

/** AlgorithmIdentifier of each scheme, one encoding each (RFC 4055, RFC 5758). SHA-1 is in no table. */
const ALGORITHMS: ReadonlyMap<SignatureScheme, Uint8Array> = new Map([
  ['ecdsa-sha256', sequence(objectIdentifier('1.2.840.10045.4.3.2'))],
  ['ecdsa-sha384', sequence(objectIdentifier('1.2.840.10045.4.3.3'))],
  ['rsassa-sha256', sequence(objectIdentifier('1.2.840.113549.1.1.11'), NULL)],
  ['rsassa-sha384', sequence(objectIdentifier('1.2.840.113549.1.1.12'), NULL)],
  ['rsapss-sha256', pss('2.16.840.1.101.3.4.2.1', 32)],
  ['rsapss-sha384', pss('2.16.840.1.101.3.4.2.2', 48)],
]);

export function encodeSignatureAlgorithm(scheme: SignatureScheme): Uint8Array {
  const der = ALGORITHMS.get(scheme);
  if (!der) throw new RangeError(`${scheme} is in no table`);
  return der;
}

/** The scheme of an AlgorithmIdentifier; undefined for anything but the listed encodings. */
export function decodeSignatureAlgorithm(der: Uint8Array): SignatureScheme | undefined {
  for (const [scheme, bytes] of ALGORITHMS) if (equal(bytes, der)) return scheme;
  return undefined;
}
