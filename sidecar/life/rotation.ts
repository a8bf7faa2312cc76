import { renewalTime } from '../../platform/identity/renewal-time.ts';

/** What a sidecar does about its certificate, by the clock alone. Times are unix seconds. */
export type Rotation =
  | { readonly state: 'good'; readonly renewAt: number }
  /** Renewal is due, the certificate still serves. */
  | { readonly state: 'renew' }
  /** Over, or not begun: no connection may be taken with it. */
  | { readonly state: 'invalid' };

/** @param random 0 to 1, drawn once a certificate: sidecars that started together do not renew together */
export function rotation(
  certificate: { readonly notBefore: number; readonly notAfter: number },
  now: number,
  random: number,
): Rotation {
  if (now < certificate.notBefore || now >= certificate.notAfter) return { state: 'invalid' };
  const renewAt = renewalTime(certificate, random);
  return now >= renewAt ? { state: 'renew' } : { state: 'good', renewAt };
}
