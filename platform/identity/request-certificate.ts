import { decodePem, encodePem } from '../../formats/x509/pem.ts';
import type { Kube } from '../kube/kube.ts';
import { CERTIFICATE_SIGNING_REQUESTS } from '../kube/resources.ts';
import { createBackoff } from '../run/backoff.ts';

export interface CertificateRequestObject {
  readonly name: string;
  readonly signerName: string;
  readonly usages: readonly string[];
  /** PKCS#10 DER. */
  readonly request: Uint8Array;
  readonly expirationSeconds?: number;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** The certificate service said no: asking again with the same request does not help. */
export class CertificateDenied extends Error {
  override readonly name = 'CertificateDenied';
  readonly reason: string;

  constructor(reason: string, message: string) {
    super(message);
    this.reason = reason;
  }
}

/**
 * Creates a CertificateSigningRequest and waits for its certificate by asking again: a component may create and get its requests, not watch them all.
 * @returns the chain, DER, leaf first
 * @throws CertificateDenied; KubeError; an AbortError when the signal ends the wait
 */
export async function requestCertificate(
  kube: Kube,
  wanted: CertificateRequestObject,
  signal: AbortSignal,
): Promise<Uint8Array[]> {
  const { name, labels, annotations } = wanted;
  await kube.create(CERTIFICATE_SIGNING_REQUESTS, {
    metadata: { name, ...(labels && { labels }), ...(annotations && { annotations }) },
    spec: {
      signerName: wanted.signerName,
      usages: [...wanted.usages],
      request: Buffer.from(encodePem('CERTIFICATE REQUEST', wanted.request)).toString('base64'),
      ...(wanted.expirationSeconds !== undefined && { expirationSeconds: wanted.expirationSeconds }),
    },
  });
  const backoff = createBackoff(60, 1_000);
  do {
    const object = await kube.get(CERTIFICATE_SIGNING_REQUESTS, { name }, signal);
    if (object === undefined) throw new Error(`certificate request ${name} was deleted before it was signed`);
    const refusal = object.status?.conditions?.find(
      ({ type, status }) => (type === 'Denied' || type === 'Failed') && status !== 'False',
    );
    if (refusal !== undefined)
      throw new CertificateDenied(
        refusal.reason ?? refusal.type,
        `certificate request ${name}: ${refusal.message ?? refusal.reason ?? refusal.type}`,
      );
    const certificate = object.status?.certificate;
    if (certificate) return chainOf(name, certificate);
  } while (await backoff.wait(signal));
  throw new DOMException(`no certificate for ${name} yet`, 'AbortError');
}

function chainOf(name: string, base64: string): Uint8Array[] {
  const chain = decodePem('CERTIFICATE', Buffer.from(base64, 'base64').toString('utf8'));
  if (!chain.ok) throw new Error(`certificate request ${name}: ${chain.message}`);
  return chain.value;
}
