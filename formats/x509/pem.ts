import { fromBase64, toBase64 } from '../bytes/base64.ts';
import { type Result, refuse, success } from '../bytes/result.ts';
import type { X509Code } from './x509-code.ts';

export type PemLabel = 'CERTIFICATE' | 'CERTIFICATE REQUEST' | 'PUBLIC KEY' | 'PRIVATE KEY';

const MAX_PEM_CHARACTERS = 1_048_576;
const BLOCK = /-----BEGIN ([A-Z ]+)-----\n((?:[A-Za-z0-9+/=]+\n)+)-----END ([A-Z ]+)-----(?:\n|$)/y;

/** One block of RFC 7468: lines of 64 characters, a newline at the end. */
export function encodePem(label: PemLabel, der: Uint8Array): string {
  const lines = toBase64(der).match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

/**
 * Blocks of one label, in order; at least one. Strict (RFC 7468, 3): nothing between or around the blocks but blank
 * lines, lines end in LF or CRLF, base64 is canonical.
 */
export function decodePem(label: PemLabel, text: string): Result<Uint8Array[], X509Code> {
  const no = (message: string) =>
    refuse('x509-pem', `PEM: ${message}`, `give ${label} blocks and nothing else`);
  if (text.length > MAX_PEM_CHARACTERS) return no(`more than ${MAX_PEM_CHARACTERS} characters`);
  const lines = text.replaceAll('\r\n', '\n');
  const blocks: Uint8Array[] = [];
  let at = skipNewlines(lines, 0);
  while (at < lines.length) {
    BLOCK.lastIndex = at;
    const match = BLOCK.exec(lines);
    if (!match) return no(`no block at character ${at}`);
    const [, begin, body = '', end] = match;
    if (begin !== label || end !== label) return no(`${begin} where ${label} is expected`);
    const der = fromBase64(body.replaceAll('\n', ''));
    if (!der) return no(`block ${blocks.length + 1} is not base64`);
    blocks.push(der);
    at = skipNewlines(lines, BLOCK.lastIndex);
  }
  return blocks.length === 0 ? no('empty') : success(blocks);
}

function skipNewlines(text: string, at: number): number {
  while (text[at] === '\n') at++;
  return at;
}
