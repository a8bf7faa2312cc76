import { OID_EVIDENCE_CONTENT } from '../../names/oids.ts';
import type { DerReader } from './der-reader.ts';
import { objectIdentifier, octetString, sequence } from './der-writer.ts';

/**
 * EvidenceBundle of draft-ietf-lamps-csr-attestation, with exactly one statement of our own type:
 * EvidenceBundle ::= SEQUENCE { evidences SEQUENCE SIZE (1..MAX) OF EvidenceStatement, certs ... OPTIONAL }
 * EvidenceStatement ::= SEQUENCE { type OBJECT IDENTIFIER, stmt OCTET STRING, hint UTF8String OPTIONAL }
 * No `certs` (the attestation key's chain is inside the content) and no `hint`.
 */
export function encodeEvidenceAttribute(content: Uint8Array): Uint8Array {
  return sequence(sequence(sequence(objectIdentifier(OID_EVIDENCE_CONTENT), octetString(content))));
}

export function readEvidenceAttribute(reader: DerReader): Uint8Array {
  const what = 'evidence attribute';
  const bundle = reader.sequence(what);
  const statements = bundle.sequence(what);
  const statement = statements.sequence(what);
  const type = statement.objectIdentifier(what);
  if (type !== OID_EVIDENCE_CONTENT) statement.fail(`${what}: statement of the foreign type ${type}`);
  const content = statement.octetString(what);
  statement.end(what);
  statements.end(what);
  bundle.end(what);
  return content;
}
