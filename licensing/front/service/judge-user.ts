import type { TrustDocument } from '../../../formats/evidence/trust-document.ts';
import type { FrontRefusal } from '../front-refusal.ts';

/** What front holds of the trust document. */
export interface UserTrust {
  readonly document: Pick<TrustDocument, 'revoked'> | undefined;
  /** Milliseconds since it was issued. */
  readonly ageMs: number | undefined;
  /** Of a document that still says who is revoked. */
  readonly limitMs: number;
}

/** Of those whose password or token is good. */
export interface UserRefusal extends FrontRefusal {
  readonly code: 'user-revoked' | 'trust-document-missing' | 'trust-document-stale';
}

/** Why a user is let in nowhere, who has shown who they are; undefined when nothing is against it. Who cannot know who is revoked, lets nobody in. */
export function judgeUser({ document, ageMs, limitMs }: UserTrust, user: string): UserRefusal | undefined {
  if (document === undefined || ageMs === undefined)
    return {
      code: 'trust-document-missing',
      message: 'front has no trust document yet',
      remedy: 'try again in a few seconds',
    };
  if (ageMs > limitMs)
    return {
      code: 'trust-document-stale',
      message: `front’s trust document is older than ${limitMs / 1000} s: it does not know who was revoked since`,
      remedy: 'try again later; if it stays, ask the operator whether the certificate service runs',
    };
  return document.revoked.users.some((revoked) => revoked.user === user)
    ? { code: 'user-revoked', message: 'this user was revoked', remedy: 'ask the operator' }
    : undefined;
}
