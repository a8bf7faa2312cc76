import { parseRoots, type Roots, rootsSha256, rootsToJson } from '../../../formats/evidence/roots.ts';
import { nodeCrypto } from '../../../platform/crypto/node-crypto.ts';
import { usage } from '../../failure.ts';

/** The roots that the operator gave, out of band. */
export interface PinnedRoots {
  readonly roots: Roots;
  /** The one text that the hash is of. */
  readonly text: string;
  /** Lower-case hex: the fingerprint. */
  readonly sha256: string;
}

/** @param what names the source in the refusal. @throws Failure */
export function readPinnedRoots(text: string, what: string): PinnedRoots {
  const roots = parseRoots(text.trim());
  if (!roots.ok) throw usage('roots-invalid', `${what}: ${roots.message}`, roots.remedy);
  return pinnedRoots(roots.value);
}

/** Roots that are held already, with their text and fingerprint. */
export function pinnedRoots(roots: Roots): PinnedRoots {
  const text = rootsToJson(roots);
  return { roots, text, sha256: rootsSha256(nodeCrypto, text) };
}

/** Reads a fingerprint as people copy it: 64 hex digits, colons, spaces and case aside. @throws Failure */
export function readFingerprint(text: string): string {
  const hex = text
    .replace(/^sha256:/i, '')
    .replace(/[:\s]/g, '')
    .toLowerCase();
  if (!/^[0-9a-f]{64}$/.test(hex))
    throw usage(
      'fingerprint-invalid',
      'the fingerprint is not 64 hexadecimal digits',
      'copy it whole from the operator',
    );
  return hex;
}
