import { encodePem } from '../../formats/x509/pem.ts';

/**
 * Root certificates as Node's TLS takes them. Node reads an absent or empty `ca` as the machine's whole default store, so an empty set must never reach a
 * TLS context.
 * @throws when the set is empty
 */
export function trustAnchors(roots: readonly Uint8Array[]): string[] {
  if (roots.length === 0) throw new Error('an empty trust set trusts nobody: no TLS context is made from it');
  return roots.map((der) => {
    if (der.length === 0) throw new Error('an empty root certificate');
    return encodePem('CERTIFICATE', der);
  });
}
