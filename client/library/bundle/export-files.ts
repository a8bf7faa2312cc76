import { toBase64 } from '../../../formats/bytes/base64.ts';
import { toHex } from '../../../formats/bytes/bytes.ts';
import { type Bundle, bundleToJson } from '../../../formats/evidence/bundle.ts';
import { decodeAttest } from '../../../formats/tpm/attest.ts';
import { decodePublic, publicToSpki } from '../../../formats/tpm/public.ts';
import { tpm2ToolsPcrs } from '../../../formats/tpm/tpm2-tools-pcrs.ts';
import { encodePem } from '../../../formats/x509/pem.ts';

export type ExportFiles = Readonly<Record<string, string | Uint8Array>>;

const BANKS: ReadonlyMap<number, 'sha256' | 'sha384'> = new Map([
  [0x000b, 'sha256'],
  [0x000c, 'sha384'],
]);

/**
 * A bundle's parts as files, each in its standard format (docs/evidence-format.md). Total: of a part that cannot be read there is no
 * file that follows from it, and verify.sh says what is wrong with the part.
 */
export function bundleFiles(bundle: Bundle): ExportFiles {
  const { blinder, leafIndex, leafCount, path, eventLog } = bundle;
  return {
    'bundle.json': bundleToJson(bundle),
    'statement.json': bundle.statement,
    'proof.json': pretty({
      blinder: toBase64(blinder),
      leafIndex,
      leafCount,
      path: path.map(toBase64),
    }),
    ...(eventLog.length > 0 && { 'event-log.bin': eventLog }),
    ...certificateFiles(bundle),
    ...quoteFiles(bundle),
    ...pcrFiles(bundle),
  };
}

function pretty(value: object): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

function certificateFiles(bundle: Bundle): ExportFiles {
  const pem = (chain: readonly Uint8Array[]) => chain.map((der) => encodePem('CERTIFICATE', der)).join('');
  const [leaf] = bundle.certificateChain;
  return {
    ...(leaf && { 'certificate.der': leaf, 'certificate.pem': encodePem('CERTIFICATE', leaf) }),
    'certificate-chain.pem': pem(bundle.certificateChain),
    'attestation-key-certificate-chain.pem': pem(bundle.attestationKeyCertificateChain),
  };
}

function quoteFiles(bundle: Bundle): ExportFiles {
  const attest = decodeAttest(bundle.attest);
  const key = decodePublic(bundle.attestationKeyPublic);
  const spki = key.ok ? publicToSpki(key.value) : key;
  return {
    'attest.bin': bundle.attest,
    'signature.bin': bundle.signature,
    'attestation-key.tpmt': bundle.attestationKeyPublic,
    ...(spki.ok && { 'attestation-key.pem': encodePem('PUBLIC KEY', spki.value) }),
    ...(attest.ok && { 'qualifying-data.hex': `${toHex(attest.value.extraData)}\n` }),
  };
}

function pcrFiles({ pcrValues }: Bundle): ExportFiles {
  const hash = pcrValues && BANKS.get(pcrValues.hashAlgorithm);
  if (!pcrValues || !hash) return {};
  const { values } = pcrValues;
  const selection = { hash, pcrs: values.map(({ index }) => index) };
  const digests = values.map(({ digest }) => digest);
  const readable = values.map(({ index, digest }) => ({ index, digest: toHex(digest) }));
  return {
    'pcr-values.bin': tpm2ToolsPcrs(selection, digests),
    'pcr-values.json': pretty({ hash, values: readable }),
  };
}
