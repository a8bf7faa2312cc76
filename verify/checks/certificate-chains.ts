import { equalPublic, toHex } from '../../formats/bytes/bytes.ts';
import type { Bundle } from '../../formats/evidence/bundle.ts';
import type { TpmTrust } from '../../formats/x509/bindings.ts';
import type { Certificate } from '../../formats/x509/certificate.ts';
import { OID_EKU_SERVER_AUTH } from '../../names/oids.ts';
import type { Issuer } from '../../names/signers.ts';
import { verifyChain } from '../certificate-chain.ts';
import { fails, holds, notRun, type Outcome } from '../check-log.ts';
import type { EvidenceContext } from '../context.ts';
import { certificateFingerprint } from '../fingerprint.ts';
import { accepts, type Policy } from '../policy/policy.ts';
import { written } from './accepted.ts';
import type { AttestationKey } from './attestation-key.ts';

function issued(roots: number, role: Issuer, now: number): () => string {
  return () => `issued by one of ${roots} roots of ${role}, valid at ${now}`;
}

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
  const expected = issued(trust.enclaves.length, 'enclaves', now);
  if (!chain.ok) return fails(chain.code, expected(), chain.message);
  const { notAfter } = chain.value;
  return holds(chain.value, expected, () => `valid until ${notAfter}`);
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
  if (equalPublic(leaf.der, live)) return holds(undefined, expected);
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
  const expected = issued(trust['attestation-keys'].length, 'attestation-keys', now);
  if (!chain.ok) return fails(chain.code, expected(), chain.message);
  const { spki, commonName: node, extensions, notAfter } = chain.value;
  if (!equalPublic(spki, key.spki))
    return fails('attestation-key-certificate', 'a certificate of the key that signed', 'one of another key');
  const { tpmTrust: tpm } = extensions;
  if (node === undefined || tpm === undefined)
    return fails('attestation-key-certificate', 'node and TPM trust', 'one of them is missing');
  return holds({ node, tpm }, expected, () => `node ${node}, valid until ${notAfter}`);
}

/** How the TPM was trusted when its key was certified, and whether it is one that the policy accepts. */
export function checkTpmTrust({ tpm }: CertifiedKey, policy: Policy): Outcome<undefined> {
  const hows = policy.allowEmulatedTpm ? 'vendor-root, listed or emulated' : 'vendor-root or listed';
  const eks = written(policy.eks);
  const { how, ekSha256 } = tpm;
  const expected = () => `${hows}, EK ${eks}`;
  const actual = () => `${how}, EK ${ekSha256}`;
  if (how === 'emulated' && policy.allowEmulatedTpm !== true)
    return fails('tpm-emulated', expected(), actual());
  if (!accepts(policy.eks, ekSha256)) return fails('tpm-not-accepted', expected(), actual());
  const detail = how === 'emulated' ? 'an emulated TPM proves nothing about the machine' : undefined;
  return holds(undefined, expected, actual, detail);
}
