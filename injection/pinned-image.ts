/** As a statement carries it (`formats/evidence/statement.ts`): what passes here can be attested. */
const PINNED = /^[a-z0-9][-a-z0-9._/:]*@sha256:[0-9a-f]{64}$/;
const MAX_LENGTH = 512;

/** A reference by manifest digest: `name@sha256:<64 hex digits>`, in lower case, a tag between them allowed. */
export function isPinned(image: string | null | undefined): boolean {
  return typeof image === 'string' && image.length <= MAX_LENGTH && PINNED.test(image);
}
