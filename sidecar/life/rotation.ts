import { renewalTime } from '../../platform/identity/renewal-time.ts';

/** What a sidecar does about its certificate, by the clock alone. Times are unix seconds. */
export type Rotation =
  | { readonly state: 'good'; readonly renewAt: number }
  /** Renewal is due, the certificate still serves. */
  | { readonly state: 'renew' }
  /** No new connection may be taken. */
  | { readonly state: 'expired' };

/** @param random 0 to 1, drawn once a certificate: sidecars that started together do not renew together */
export function rotation(
  certificate: { readonly notBefore: number; readonly notAfter: number },
  now: number,
  random: number,
): Rotation {
  if (now >= certificate.notAfter) return { state: 'expired' };
  const renewAt = renewalTime(certificate, random);
  return now >= renewAt ? { state: 'renew' } : { state: 'good', renewAt };
}
