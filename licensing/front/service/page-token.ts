import { fromBase64url, toBase64url } from '../../../formats/bytes/base64.ts';
import { fromUtf8, toUtf8 } from '../../../formats/bytes/bytes.ts';
import type { Page } from '../../store/store.ts';

/** Where the next page begins. Holds nothing secret: a user's pages hold only their own enclaves, whatever the token says. */
export function encodePageToken(last: { readonly createdAt: number; readonly id: string }): string {
  return toBase64url(toUtf8(`${last.createdAt}.${last.id}`));
}

/** Undefined when the text is no token of ours. */
export function decodePageToken(token: string): Page['after'] | undefined {
  const bytes = token.length <= 128 ? fromBase64url(token) : undefined;
  const match = bytes && /^(\d{1,15})\.([a-z0-9]{1,63})$/.exec(fromUtf8(bytes) ?? '');
  return match?.[1] && match[2] ? { createdAt: Number(match[1]), id: match[2] } : undefined;
}
