import { concat, equal } from '../formats/bytes/bytes.ts';
import { Reader } from '../formats/bytes/reader.ts';
import { type Certificate, parseCertificate } from '../formats/x509/certificate.ts';
import type { TpmExecutor } from './executor.ts';
import { readNv } from './nv.ts';
import { handlesFrom } from './objects.ts';

const MAX_CERTIFICATE_BYTES = 4096;
/** Where TCG EK Credential Profile 2.5, 2.2.1.5.2, puts the intermediates: concatenated, in indices without a gap. */
const CHAIN_FIRST = 0x01c00100;
const CHAIN_LAST = 0x01c001ff;
const MAX_CHAIN_BYTES = 32 * 1024;
/** What goes to the certificate service (`EnrolHello`). */
const MAX_CERTIFICATES = 8;
const MAX_SENT_BYTES = 20 * 1024;

/** The endorsement key certificate at an NV index; undefined when there is none. A refusal of the parser is a reason in words. */
export async function readEndorsementCertificate(
  tpm: TpmExecutor,
  nvIndex: number,
): Promise<Certificate | string | undefined> {
  const content = await readNv(tpm, nvIndex, MAX_CERTIFICATE_BYTES);
  const [der] = content === undefined ? [] : sequences(unwrapped(content));
  if (der === undefined) return undefined;
  const parsed = parseCertificate(der, 'tpm-vendor');
  return parsed.ok ? parsed.value : parsed.message;
}

/** The certificate and those intermediates in NV memory that lead on from it, DER, leaf first, without a root. */
export async function readEndorsementChain(
  tpm: TpmExecutor,
  leaf: Certificate,
): Promise<readonly Uint8Array[]> {
  const pool = (await readIntermediates(tpm)).flatMap((der) => {
    const parsed = parseCertificate(der, 'tpm-vendor');
    return parsed.ok ? [parsed.value] : [];
  });
  const chain = [leaf];
  let bytes = leaf.der.length;
  while (chain.length < MAX_CERTIFICATES) {
    const last = chain.at(-1) ?? leaf;
    const next = pool.find((each) => equal(each.subject, last.issuer) && !chain.includes(each));
    // A root adds nothing: whoever trusts it has it.
    if (next === undefined || equal(next.subject, next.issuer)) break;
    bytes += next.der.length;
    if (bytes > MAX_SENT_BYTES) break;
    chain.push(next);
  }
  return chain.map(({ der }) => der);
}

async function readIntermediates(tpm: TpmExecutor): Promise<readonly Uint8Array[]> {
  const there = new Set(await handlesFrom(tpm, CHAIN_FIRST));
  const parts: Uint8Array[] = [];
  let size = 0;
  for (let nvIndex = CHAIN_FIRST; nvIndex <= CHAIN_LAST && there.has(nvIndex); nvIndex += 1) {
    const part = await readNv(tpm, nvIndex, MAX_CHAIN_BYTES - size);
    if (part === undefined) break;
    size += part.length;
    parts.push(part);
  }
  return sequences(concat(...parts));
}

/** Some makers wrap a certificate as for TPM 1.2 (PC Client Implementation Specification 1.21, 7.3.2): tag 0x1001, a type, its size. */
function unwrapped(content: Uint8Array): Uint8Array {
  const reader = new Reader(content);
  if (reader.u16() !== 0x1001 || reader.u8() !== 0) return content;
  return reader.sized16() ?? content;
}

/** DER SEQUENCEs one after the other; what follows (makers pad with 0x00 or 0xff) is cut. */
function sequences(content: Uint8Array): Uint8Array[] {
  const found: Uint8Array[] = [];
  const reader = new Reader(content);
  for (;;) {
    const start = reader.offset;
    // SEQUENCE, with a length of two bytes.
    const isCertificate = reader.u16() === 0x3082 && reader.sized16() !== undefined;
    if (!isCertificate) return found;
    found.push(content.slice(start, reader.offset));
  }
}
