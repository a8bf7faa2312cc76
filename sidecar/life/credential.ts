import { equal } from '../../formats/bytes/bytes.ts';
import { encodeBundle } from '../../formats/evidence/bundle.ts';
import { parseCertificate } from '../../formats/x509/certificate.ts';
import { buildCertificateRequest } from '../../formats/x509/certificate-request.ts';
import { OID_EKU_ENCLAVE } from '../../names/oids.ts';
import type { AgentCalls, Quotable } from '../agent/agent-calls.ts';
import { createKeyPair, type KeyPair } from '../key/key-pair.ts';

/** A certified and attested key of this pod. */
export interface Credential extends Quotable {
  readonly key: KeyPair;
  /** Unix seconds. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** Milliseconds of each step: to tell where the time goes. */
  readonly steps: Readonly<Record<'key' | 'prove' | 'certify' | 'quote', number>>;
}

export interface CredentialOptions {
  readonly keyType: 'p256' | 'p384';
  /** The DNS name that the certificate must have. */
  readonly serverName: string;
}

/** What the certificate service sent is not what was asked for. */
export class UnusableCertificate extends Error {
  override readonly name = 'UnusableCertificate';

  constructor(message: string) {
    super(`the new certificate is of no use: ${message}`);
  }
}

/**
 * A new key, certified and quoted: prove, certify with the evidence inside the request, first quote (over the epoch). The key exists in this process
 * only. Nothing is returned unless all of it succeeded, so certificate and evidence change together.
 * @throws AgentError, UnusableCertificate
 */
export async function obtainCredential(
  agent: AgentCalls,
  { keyType, serverName }: CredentialOptions,
  signal: AbortSignal,
): Promise<Credential> {
  const times = [performance.now()];
  const done = (): void => void times.push(performance.now());
  const key = createKeyPair(keyType);
  const bare = buildCertificateRequest({ spki: key.spki }, key.sign, key.scheme);
  done();
  const evidence = encodeBundle(await agent.prove(bare, signal));
  done();
  const request = buildCertificateRequest({ spki: key.spki, evidence }, key.sign, key.scheme);
  const chain = await agent.certify(request, signal);
  done();
  const leaf = parseCertificate(chain[0] ?? new Uint8Array(0));
  if (!leaf.ok) throw new UnusableCertificate(leaf.message);
  const { spki, extensions, notBefore, notAfter } = leaf.value;
  if (!equal(spki, key.spki)) throw new UnusableCertificate('it is for another key');
  if (!extensions.extendedKeyUsage?.includes(OID_EKU_ENCLAVE))
    throw new UnusableCertificate('it is not an enclave’s');
  if (!extensions.subjectAltName?.dns.includes(serverName))
    throw new UnusableCertificate(`it does not name ${serverName}`);
  const took = (step: number): number => Math.round((times[step + 1] ?? 0) - (times[step] ?? 0));
  const steps = { key: took(0), prove: took(1), certify: took(2), quote: 0 };
  const credential = { key, chain, request, notBefore, notAfter, steps };
  await agent.quote(new Uint8Array(0), credential, signal);
  done();
  steps.quote = took(3);
  return credential;
}
