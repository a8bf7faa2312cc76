import { parseJson } from '../../formats/bytes/json.ts';

/** A refusal over HTTP (RFC 9457): what both its writer and its reader here know of it. */
export interface Problem {
  readonly code: string;
  readonly detail: string;
  /** What the caller can do. */
  readonly remedy: string;
}

const MAX_PROBLEM_BYTES = 16_384;
const MAX_CODE = 64;
const MAX_DETAIL = 500;

/** The members of a problem document; its `type` is the code under this project's tag (RFC 4151). */
export function problemDocument(
  status: number,
  { code, message, remedy }: { readonly code: string; readonly message: string; readonly remedy: string },
): object {
  return {
    type: `tag:enclave-licensing.dev,2026:problem/${code}`,
    title: code.replaceAll('-', ' '),
    status,
    detail: message,
    code,
    remedy,
  };
}

/**
 * What somebody's answer says of itself, as far as it is a problem document: members that are absent or no text are empty, control
 * characters are blanks (it may be shown on a terminal), and each is cut. Never throws.
 */
export function readProblem(body: Uint8Array): Problem {
  const parsed = parseJson(body, { maxBytes: MAX_PROBLEM_BYTES, maxDepth: 4 });
  const member = (name: string, length: number): string => {
    const value: unknown =
      parsed.ok && typeof parsed.value === 'object' ? Reflect.get(Object(parsed.value), name) : undefined;
    return typeof value === 'string' ? value.slice(0, length).replaceAll(/\p{Cc}/gu, ' ') : '';
  };
  return {
    code: member('code', MAX_CODE),
    detail: member('detail', MAX_DETAIL) || member('title', MAX_DETAIL),
    remedy: member('remedy', MAX_DETAIL),
  };
}
