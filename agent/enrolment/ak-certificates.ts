import { equal } from '../../formats/bytes/bytes.ts';

/** The attestation key's certificate. */
export interface AkCertificate {
  /** X.509 DER, leaf first, without the root. */
  readonly chain: readonly Uint8Array[];
  /** Unix seconds. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** TPMT_PUBLIC of the key that it is for. */
  readonly attestationKeyPublic: Uint8Array;
}

/** Quotes of a key that was succeeded are on their way for moments; more than a few keys means that somebody turns a wheel. */
const MAX_CERTIFICATES = 4;

/** The certificate of a key, given as TPMT_PUBLIC. */
export function certificateOf(
  certificates: readonly AkCertificate[],
  attestationKeyPublic: Uint8Array,
): AkCertificate | undefined {
  return certificates.find((each) => equal(each.attestationKeyPublic, attestationKeyPublic));
}

/** The certificates with one more, newest first: it replaces an older one of its key, and expired ones go. */
export function withCertificate(
  certificates: readonly AkCertificate[],
  added: AkCertificate,
  now: number,
): readonly AkCertificate[] {
  const others = certificates.filter(
    (each) => each.notAfter > now && !equal(each.attestationKeyPublic, added.attestationKeyPublic),
  );
  return [added, ...others].slice(0, MAX_CERTIFICATES);
}
