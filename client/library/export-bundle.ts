import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { toBase64 } from '../../formats/bytes/base64.ts';
import { toHex } from '../../formats/bytes/bytes.ts';
import { type Bundle, bundleToJson } from '../../formats/evidence/bundle.ts';
import type { Roots } from '../../formats/evidence/roots.ts';
import { decodeAttest } from '../../formats/tpm/attest.ts';
import { decodePublic, publicToSpki } from '../../formats/tpm/public.ts';
import { tpm2ToolsPcrs } from '../../formats/tpm/tpm2-tools-pcrs.ts';
import { encodePem } from '../../formats/x509/pem.ts';
import { Failure } from '../failure.ts';
import { writePrivate } from '../state/private-file.ts';

export interface ExportedCredential {
  /** PKCS#8 PEM. */
  readonly keyPem: string;
  /** PEM, leaf first. */
  readonly certificatePem: string;
}

const BANKS: ReadonlyMap<number, 'sha256' | 'sha384'> = new Map([
  [0x000b, 'sha256'],
  [0x000c, 'sha384'],
]);

/**
 * Writes a bundle's parts as files in their standard formats, for tools that we did not write; README.txt says which command takes which.
 * @returns the files' names
 */
export function exportBundle(directory: string, bundle: Bundle, roots: Roots | undefined): string[] {
  mkdirSync(directory, { recursive: true });
  const files = { ...certificateFiles(bundle), ...quoteFiles(bundle), ...rootFiles(roots) };
  const all = {
    'bundle.json': bundleToJson(bundle),
    'statement.json': bundle.statement,
    'proof.json': `${JSON.stringify(
      {
        blinder: toBase64(bundle.blinder),
        leafIndex: bundle.leafIndex,
        leafCount: bundle.leafCount,
        path: bundle.path.map(toBase64),
      },
      null,
      2,
    )}\n`,
    ...(bundle.eventLog.length > 0 && { 'event-log.bin': bundle.eventLog }),
    ...files,
    'README.txt': readme(bundle),
  };
  for (const [name, content] of Object.entries(all)) writeFileSync(join(directory, name), content);
  return Object.keys(all);
}

/** The user's key and certificate as curl and openssl take them; the folder is for its owner only. */
export function exportCredential(directory: string, { keyPem, certificatePem }: ExportedCredential): void {
  // Written anew: a file that is there already would keep its mode, and a link would be followed.
  writePrivate(join(directory, 'user-key.pem'), keyPem);
  writePrivate(join(directory, 'user-certificate.pem'), certificatePem);
}

type Files = Record<string, string | Uint8Array>;

function certificateFiles(bundle: Bundle): Files {
  const pem = (chain: readonly Uint8Array[]): string =>
    chain.map((der) => encodePem('CERTIFICATE', der)).join('');
  const [leaf] = bundle.certificateChain;
  return {
    ...(leaf && { 'certificate.der': leaf, 'certificate.pem': encodePem('CERTIFICATE', leaf) }),
    'certificate-chain.pem': pem(bundle.certificateChain),
    'attestation-key-certificate-chain.pem': pem(bundle.attestationKeyCertificateChain),
  };
}

function quoteFiles(bundle: Bundle): Files {
  const attest = decodeAttest(bundle.attest);
  const akPublic = decodePublic(bundle.attestationKeyPublic);
  const spki = akPublic.ok ? publicToSpki(akPublic.value) : akPublic;
  if (!attest.ok || !spki.ok)
    throw new Failure(
      'usage',
      'bundle-malformed',
      'the bundle holds no readable quote',
      'export another bundle',
    );
  const { hashAlgorithm, values } = bundle.pcrValues ?? { hashAlgorithm: 0, values: [] };
  const hash = BANKS.get(hashAlgorithm);
  if (hash === undefined)
    throw new Failure(
      'usage',
      'bundle-malformed',
      'the bundle has PCR values of an unknown bank',
      'export another bundle',
    );
  const selection = { hash, pcrs: values.map(({ index }) => index) };
  return {
    'attest.bin': bundle.attest,
    'signature.bin': bundle.signature,
    'attestation-key.pem': encodePem('PUBLIC KEY', spki.value),
    'attestation-key.tpmt': bundle.attestationKeyPublic,
    'pcr-values.bin': tpm2ToolsPcrs(
      selection,
      values.map(({ digest }) => digest),
    ),
    'pcr-values.json': `${JSON.stringify({ hash, values: values.map(({ index, digest }) => ({ index, digest: toHex(digest) })) }, null, 2)}\n`,
    'qualifying-data.hex': `${toHex(attest.value.extraData)}\n`,
  };
}

function rootFiles(roots: Roots | undefined): Files {
  if (roots === undefined) return {};
  return Object.fromEntries(
    Object.entries(roots).map(([issuer, certificates]) => [
      `roots-${issuer}.pem`,
      certificates.map((der: Uint8Array) => encodePem('CERTIFICATE', der)).join(''),
    ]),
  );
}

function readme(bundle: Bundle): string {
  const name = bundle.serverName;
  const [, host = '', port = ''] = /^(.*):(\d+)$/.exec(bundle.endpoint) ?? [];
  return `Evidence of the enclave ${name} at ${bundle.endpoint}, each part in its standard format.

The TPM signed this quote (TPM 2.0: TPMS_ATTEST, TPMT_SIGNATURE):
  tpm2_checkquote -u attestation-key.pem -m attest.bin -s signature.bin -g sha256 \\
    -f pcr-values.bin -q "$(cat qualifying-data.hex)"

The enclave's certificate and the attestation key's are under the operator's roots:
  openssl verify -x509_strict -no_check_time -CAfile roots-enclaves.pem certificate.pem
  openssl verify -no_check_time -CAfile roots-attestation-keys.pem attestation-key-certificate-chain.pem

The quote's qualifying data is SHA-256("enclave-batch/1" || uint32(leafCount) || root); proof.json leads from statement.json to the root, and statement.json
holds the SHA-256 of certificate.der (cnf, x5t#S256). All of it at once, and against a policy:
  enclavectl verify . --policy POLICY

With your own key and certificate (enclavectl bundle export wrote them, if the enclave is yours):
  curl --cacert roots-enclaves.pem --cert user-certificate.pem --key user-key.pem \\
    --resolve ${name}:${port}:${host} https://${name}:${port}/
`;
}
