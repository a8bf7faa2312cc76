import { toBase64 } from '../../../formats/bytes/base64.ts';
import type { Result } from '../../../formats/bytes/result.ts';
import type { EvidenceCode } from '../../../formats/evidence/evidence-code.ts';
import { MAX_GRANT_BYTES } from '../../../formats/evidence/grant.ts';
import { base64, object, readJson, text } from '../../../formats/evidence/json-shape.ts';

/** What the owner hands to whom a grant lets in. Nothing of it is secret: only the granted key's holder can use it. */
export interface GrantFile {
  /** JSON bytes, as they were signed. */
  readonly grant: Uint8Array;
  readonly signature: Uint8Array;
  /** Where the enclave is, `host:port`, and its name: hints, which evidence judges. */
  readonly endpoint?: string;
  readonly serverName?: string;
}

const SHAPE = object(
  { grant: base64(1, MAX_GRANT_BYTES), signature: base64(1, 128) },
  { endpoint: text(/^[\x21-\x7e]+$/, 300), serverName: text(/^[\x21-\x7e]+$/, 300) },
);

/** JSON, `grant` and `signature` in base64. */
export function formatGrantFile({ grant, signature, ...hints }: GrantFile): string {
  return `${JSON.stringify({ grant: toBase64(grant), signature: toBase64(signature), ...hints }, null, 2)}\n`;
}

/** Reads one, at most 16 KiB, closed schema. Whether the grant is one, and whose, is judged by others. */
export function parseGrantFile(bytes: Uint8Array): Result<GrantFile, EvidenceCode> {
  return readJson(bytes, SHAPE, { maxBytes: 16_384, maxDepth: 1 }, 'the grant file');
}
