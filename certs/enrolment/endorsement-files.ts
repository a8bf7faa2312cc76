import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { type Certificate, parseCertificate } from '../../formats/x509/certificate.ts';
import { decodePem } from '../../formats/x509/pem.ts';
import { readGivenFile } from '../../platform/files/read-given-file.ts';
import { isMissing } from '../../platform/files/read-if-there.ts';
import type { EndorsementList, EndorsementRoots } from './endorsement-trust.ts';

/** Folder in --ek-roots-dir whose authorities make emulated TPMs (swtpm's own, for example). */
const EMULATED_FOLDER = 'emulated';
const CERTIFICATE_FILE = /\.(pem|crt|cer|der)$/;
const MAX_LIST_ENTRIES = 100_000;
const MAX_LIST_BYTES = 16 * 1024 * 1024;

/**
 * Roots in a folder: PEM (one or more) or DER. What lies in `emulated/` counts as emulated and nothing more, so that a software TPM never
 * passes for a vendor's.
 * @throws Error in one line that names the file
 */
export function readEndorsementRoots(folder: string): EndorsementRoots {
  return { vendor: readFolder(folder), emulated: readFolder(join(folder, EMULATED_FOLDER)) };
}

function readFolder(folder: string): Certificate[] {
  let names: string[];
  try {
    names = readdirSync(folder).sort();
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
  return names.filter((name) => CERTIFICATE_FILE.test(name)).flatMap((name) => readFile(join(folder, name)));
}

function readFile(path: string): Certificate[] {
  const bytes = new Uint8Array(readGivenFile(path));
  const text = Buffer.from(bytes).toString('latin1');
  let ders: Uint8Array[] = [bytes];
  if (text.includes('-----BEGIN ')) {
    // Vendors put words around their blocks; only the blocks count.
    const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
    const decoded = decodePem('CERTIFICATE', blocks.map((block) => `${block}\n`).join(''));
    if (!decoded.ok) throw new Error(`${path}: ${decoded.message}`);
    ders = decoded.value;
  }
  return ders.map((der) => {
    const parsed = parseCertificate(der, 'tpm-vendor');
    if (!parsed.ok) throw new Error(`${path}: ${parsed.message}`);
    return parsed.value;
  });
}

/**
 * The operator's list, YAML: `- ekSha256: <64 hex digits>` with `trust: listed` when the operator vouches for the TPM; without it the TPM
 * counts as emulated.
 * @throws Error in one line that names file and entry
 */
export function readEndorsementList(path: string): EndorsementList {
  const parsed: unknown = parse(readGivenFile(path, MAX_LIST_BYTES).toString('utf8')) ?? [];
  if (!Array.isArray(parsed) || parsed.length > MAX_LIST_ENTRIES)
    throw new Error(`${path}: a list of at most ${MAX_LIST_ENTRIES} entries is expected`);
  const list = new Map<string, 'listed' | 'emulated'>();
  for (const [index, entry] of parsed.entries()) {
    const { ekSha256, trust, ...rest } = (entry ?? {}) as Record<string, unknown>;
    const wrong = (what: string) => new Error(`${path}: entry ${index + 1}: ${what}`);
    if (typeof ekSha256 !== 'string' || !/^[0-9a-f]{64}$/.test(ekSha256))
      throw wrong('ekSha256 must be 64 lower-case hex digits');
    if (trust !== undefined && trust !== 'listed' && trust !== 'emulated')
      throw wrong('trust must be listed or emulated');
    if (Object.keys(rest).length > 0) throw wrong(`unknown ${Object.keys(rest).join(', ')}`);
    if (list.has(ekSha256)) throw wrong(`${ekSha256} is there twice`);
    list.set(ekSha256, trust ?? 'emulated');
  }
  return list;
}
