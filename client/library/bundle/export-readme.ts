import type { Bundle } from '../../../formats/evidence/bundle.ts';
import { decodeSignature } from '../../../formats/tpm/signature.ts';

/**
 * README.txt of an export: the commands that take its files.
 * @param now Unix seconds of the export
 */
export function exportReadme(bundle: Bundle, now: number, policy: boolean): string {
  const [name, endpoint] = [bundle.serverName, bundle.endpoint].map(pasteable);
  const [, host = '', port = ''] = /^(.*):(\d+)$/.exec(endpoint ?? '') ?? [];
  const time = new Date(now * 1000).toISOString().replace('.000Z', 'Z');
  return `Evidence of the enclave ${name} at ${endpoint}, each part in its standard format.

All of it at once, as of the time of the export, with Debian's openssl, tpm2-tools and python3:
  sh verify.sh --at ${time}${policy ? '' : ' --policy POLICY.json'}
The same with enclavectl:
  enclavectl verify . --at ${time} --policy ${policy ? 'policy.json' : 'POLICY'}
roots.json, trust.json and policy.json are what the exporter judges by: compare them with your own, or give yours (sh verify.sh --help). If you
did not export this folder yourself, take verify.sh and verifier/ from a place that you trust too.

Piece by piece. The TPM signed this quote (TPM 2.0: TPMS_ATTEST, TPMT_SIGNATURE):
${quoteCommand(bundle)}

The enclave's certificate and the attestation key's are under the operator's roots:
  openssl verify -x509_strict -no_check_time -CAfile roots-enclaves.pem certificate.pem
  openssl verify -no_check_time -CAfile roots-attestation-keys.pem attestation-key-certificate-chain.pem

The quote's qualifying data is SHA-256("enclave-batch/1" || uint32(leafCount) || root); proof.json leads from statement.json to the root, and statement.json
holds the SHA-256 of certificate.der (cnf, x5t#S256).

With your own key and certificate (enclavectl bundle export wrote them, if the enclave is yours):
  curl --cacert roots-enclaves.pem --cert user-certificate.pem --key user-key.pem \\
    --resolve ${name}:${port}:${host} https://${name}:${port}/
`;
}

/** tpm2_checkquote knows no RSA-PSS before version 5.6; openssl takes the signature without its header of six bytes (sigAlg, hash, size). */
function quoteCommand(bundle: Bundle): string {
  const signature = decodeSignature(bundle.signature);
  const { kind, hash } = signature.ok ? signature.value : { kind: 'ecdsa', hash: 'sha256' };
  return kind === 'rsapss'
    ? `  tail -c +7 signature.bin >signature.raw
  openssl dgst -${hash} -verify attestation-key.pem -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:auto \\
    -signature signature.raw attest.bin`
    : `  tpm2_checkquote -u attestation-key.pem -m attest.bin -s signature.bin -g ${hash} \\
    -f pcr-values.bin -q "$(cat qualifying-data.hex)"`;
}

/** The names come from the prover, and a reader copies the commands into a shell. */
function pasteable(name: string): string {
  return /^[\w.:[\]-]+$/.test(name) ? name : 'NOT-A-PLAIN-NAME';
}
