import { toBase64 } from '../../formats/bytes/base64.ts';
import { type Result, refuse, success } from '../../formats/bytes/result.ts';
import type { Crypto } from '../../formats/crypto/crypto.ts';
import type { EvidenceCode } from '../../formats/evidence/evidence-code.ts';
import { base64, list, object, oneOf, readJson } from '../../formats/evidence/json-shape.ts';
import type { Roots } from '../../formats/evidence/roots.ts';
import {
  decodeSignedTrustDocument,
  encodeSignedTrustDocument,
  MAX_SIGNED_TRUST_DOCUMENT_BYTES,
} from '../../formats/evidence/signed-trust-document.ts';
import {
  acceptTrustDocument,
  type SignedTrustDocument,
  type TrustDocument,
} from '../../formats/evidence/trust-document.ts';

/** A trust document and what signed it. */
export interface Link {
  readonly signed: SignedTrustDocument;
  readonly document: TrustDocument;
}

/**
 * Trust documents of which each is signed by a `system` root of the one before it, the first by a pinned one. The last counts; the others are kept only as long as
 * they are what vouches for it, so that all of it can be checked again from the pinned roots alone.
 */
export type DocumentChain = readonly Link[];

/** One link a generation of the CA. */
const MAX_LINKS = 64;
const SHAPE = object({
  v: oneOf('enclavectl-trust/1'),
  documents: list(base64(1, MAX_SIGNED_TRUST_DOCUMENT_BYTES), 1, MAX_LINKS),
});

/** Reads a chain and checks every link again. */
export function parseDocumentChain(
  content: Uint8Array,
  crypto: Crypto,
  pinned: Roots,
): Result<DocumentChain, EvidenceCode> {
  const maxBytes = MAX_LINKS * MAX_SIGNED_TRUST_DOCUMENT_BYTES * 2;
  const read = readJson(content, SHAPE, { maxBytes, maxDepth: 3 }, 'the trust documents');
  if (!read.ok) return read;
  const chain: Link[] = [];
  for (const bytes of read.value.documents) {
    const signed = decodeSignedTrustDocument(bytes);
    if (!signed.ok) return signed;
    const document = acceptTrustDocument(crypto, signed.value, heldBy(chain, pinned));
    if (!document.ok) return document;
    chain.push({ signed: signed.value, document: document.value });
  }
  return success(chain);
}

export function formatDocumentChain(chain: DocumentChain): string {
  const documents = chain.map(({ signed }) => toBase64(encodeSignedTrustDocument(signed)));
  return `${JSON.stringify({ v: 'enclavectl-trust/1', documents }, null, 2)}\n`;
}

/**
 * A chain that ends in this document, when a `system` root of the newest one held (at first: a pinned one) signed it and it is newer. A root that a document has
 * dropped vouches for nothing any more.
 */
export function extendDocumentChain(
  chain: DocumentChain,
  signed: SignedTrustDocument,
  crypto: Crypto,
  pinned: Roots,
): Result<DocumentChain, EvidenceCode> {
  const accepted = acceptTrustDocument(crypto, signed, heldBy(chain, pinned));
  if (!accepted.ok) return accepted;
  const link: Link = { signed, document: accepted.value };
  // The shortest beginning that vouches for it is enough.
  const lengths = Array.from({ length: chain.length + 1 }, (_, length) => length);
  const shortest = lengths.find(
    (length) => acceptTrustDocument(crypto, signed, heldBy(chain.slice(0, length), pinned)).ok,
  );
  const next = [...chain.slice(0, shortest ?? chain.length), link];
  return next.length <= MAX_LINKS
    ? success(next)
    : refuse(
        'evidence-out-of-bounds',
        `the CA was replaced more than ${MAX_LINKS} times since its roots were pinned`,
        'pin the newest roots: enclavectl init --replace',
      );
}

function heldBy(chain: DocumentChain, pinned: Roots): { roots: Roots; version: number } {
  const last = chain.at(-1)?.document;
  return { roots: last?.roots ?? pinned, version: last?.version ?? 0 };
}
