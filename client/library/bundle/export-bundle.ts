import { createHash } from 'node:crypto';
import { existsSync, lstatSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Bundle } from '../../../formats/evidence/bundle.ts';
import { usage } from '../../failure.ts';
import { writePrivate } from '../../state/private-file.ts';
import { bundleFiles, type ExportFiles } from './export-files.ts';
import { exportReadme } from './export-readme.ts';
import { type ExportReference, referenceFiles } from './export-reference.ts';
import { verifierFiles } from './export-verifier.ts';

export interface ExportedCredential {
  /** PKCS#8 PEM. */
  readonly keyPem: string;
  /** PEM, leaf first. */
  readonly certificatePem: string;
}

const SUMS = 'SHA256SUMS';

/**
 * Writes a bundle's parts as files in their standard formats, with a verifier that needs none of our code (docs/verify.md), what the
 * exporter judges by, and SHA256SUMS over all of it.
 * @returns the files' names
 */
export function exportBundle(directory: string, bundle: Bundle, reference: ExportReference): string[] {
  const files = {
    ...bundleFiles(bundle),
    ...referenceFiles(reference),
    ...verifierFiles(),
    'README.txt': exportReadme(bundle, reference.now, reference.policy !== undefined),
  };
  // What an earlier export left and this one does not write would be taken for a part of this one.
  for (const name of ['event-log.bin', 'attestation-key.pem', 'qualifying-data.hex', 'policy.json', SUMS])
    rmSync(join(directory, name), { force: true });
  removeVerifier(join(directory, 'verifier'));
  const sums = Object.entries(files).map(([name, content]) => `${sha256(content)}  ${name}\n`);
  const all: ExportFiles = { ...files, [SUMS]: sums.join('') };
  for (const [name, content] of Object.entries(all)) {
    const path = join(directory, name);
    mkdirSync(dirname(path), { recursive: true });
    // Written anew: a link that is there would be followed.
    rmSync(path, { force: true });
    writeFileSync(path, content, { flag: 'wx', mode: name === 'verify.sh' ? 0o755 : 0o644 });
  }
  return Object.keys(all);
}

/** Python prefers what lies beside a program to its own library: of an earlier export, or of a link to elsewhere, nothing may stay. */
function removeVerifier(folder: string): void {
  const there = lstatSync(folder, { throwIfNoEntry: false });
  if (there === undefined) return;
  if (there.isDirectory() && readdirSync(folder).length > 0 && !existsSync(join(folder, '__main__.py')))
    throw usage('folder-in-use', `${folder} is no verifier of an export`, 'export into an empty folder');
  rmSync(folder, { recursive: true, force: true });
}

/** The user's key and certificate as curl and openssl take them; the folder is for its owner only. */
export function exportCredential(directory: string, { keyPem, certificatePem }: ExportedCredential): void {
  // Written anew: a file that is there already would keep its mode, and a link would be followed.
  writePrivate(join(directory, 'user-key.pem'), keyPem);
  writePrivate(join(directory, 'user-certificate.pem'), certificatePem);
}

function sha256(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}
