import { equal, toHex } from '../../formats/bytes/bytes.ts';
import type { Bundle } from '../../formats/evidence/bundle.ts';
import type { TpmTrust } from '../../formats/x509/bindings.ts';
import type { Certificate } from '../../formats/x509/certificate.ts';
import { OID_EKU_SERVER_AUTH } from '../../names/oids.ts';
import { verifyChain } from '../certificate-chain.ts';
import { fails, holds, notRun, type Outcome } from '../check-log.ts';
import type { EvidenceContext } from '../context.ts';
import { certificateFingerprint } from '../fingerprint.ts';
import { accepts, type Policy } from '../policy/policy.ts';
import { written } from './accepted.ts';
import type { AttestationKey } from './attestation-key.ts';

/** The enclave's chain, to a root of `enclaves`; the server name of the bundle, if there, is in the certificate. */
export function checkCertificateChain(
  bundle: Bundle,
  policy: Policy,
  context: EvidenceContext,
): Outcome<Certificate> {
  const { crypto, trust, now, cache } = context;
  const chain = verifyChain(crypto, bundle.certificateChain, {
    roots: trust,
    role: 'enclaves',
    // Left out of a chain's options it means any; left out of a policy it must not.
    acceptedRoots: policy.roots ?? [],
    now,
    cache,
    usages: [OID_EKU_SERVER_AUTH],
    dnsName: bundle.serverName === '' ? undefined : bundle.serverName,
  });
  const expected = `issued by one of ${trust.enclaves.length} roots of enclaves, valid at ${now}`;
  return chain.ok
    ? holds(chain.value, expected, `valid until ${chain.value.notAfter}`)
    : fails(chain.code, expected, chain.message);
}

/** The certificate of this very connection is the one in the bundle, byte for byte. */
export function checkLiveCertificate(
  leaf: Certificate,
  live: Uint8Array | undefined,
  { crypto, cache }: EvidenceContext,
): Outcome<undefined> {
  const expected = certificateFingerprint(leaf, crypto, cache).hex;
  if (live === undefined)
    return notRun(undefined, expected, 'none', 'no live certificate was given, so no connection is judged');
  if (equal(leaf.der, live)) return holds(undefined, expected);
  const shown =
    live.length === 0
      ? 'the peer showed none, as on a resumed TLS session'
      : toHex(crypto.hash('sha256', live));
  return fails('live-certificate-differs', expected, shown);
}

/** What the cluster certified of the attestation key: node and how its TPM is trusted. */
export interface CertifiedKey {
  readonly node: string;
  readonly tpm: TpmTrust;
}

/** The attestation key's chain, to a root of `attestation-keys`, over exactly the key that signed. */
export function checkAttestationKeyChain(
  bundle: Bundle,
  key: AttestationKey,
  policy: Policy,
  context: EvidenceContext,
): Outcome<CertifiedKey> {
  const { crypto, trust, now, cache } = context;
  const chain = verifyChain(crypto, bundle.attestationKeyCertificateChain, {
    roots: trust,
    role: 'attestation-keys',
    acceptedRoots: policy.roots ?? [],
    now,
    cache,
  });
  const expected = `issued by one of ${trust['attestation-keys'].length} roots of attestation-keys, valid at ${now}`;
  if (!chain.ok) return fails(chain.code, expected, chain.message);
  const { spki, commonName: node, extensions, notAfter } = chain.value;
  if (!equal(spki, key.spki))
    return fails('attestation-key-certificate', 'a certificate of the key that signed', 'one of another key');
  const { tpmTrust: tpm } = extensions;
  if (node === undefined || tpm === undefined)
    return fails('attestation-key-certificate', 'node and TPM trust', 'one of them is missing');
  return holds({ node, tpm }, expected, `node ${node}, valid until ${notAfter}`);
}

/** How the TPM was trusted when its key was certified, and whether it is one that the policy accepts. */
export function checkTpmTrust({ tpm }: CertifiedKey, policy: Policy): Outcome<undefined> {
  const hows = policy.allowEmulatedTpm ? 'vendor-root, listed or emulated' : 'vendor-root or listed';
  const expected = `${hows}, EK ${written(policy.eks)}`;
  const actual = `${tpm.how}, EK ${tpm.ekSha256}`;
  if (tpm.how === 'emulated' && !policy.allowEmulatedTpm) return fails('tpm-emulated', expected, actual);
  if (!accepts(policy.eks, tpm.ekSha256)) return fails('tpm-not-accepted', expected, actual);
  const detail = tpm.how === 'emulated' ? 'an emulated TPM proves nothing about the machine' : undefined;
  return holds(undefined, expected, actual, detail);
}
