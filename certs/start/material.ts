import type { Result } from '../../formats/bytes/result.ts';
import type { Crypto } from '../../formats/crypto/crypto.ts';
import type { Roots } from '../../formats/evidence/roots.ts';
import { ISSUERS, type Issuer } from '../../names/signers.ts';
import { type Clock, unixSeconds } from '../../platform/run/clock.ts';
import type { Authority } from '../authority/authority.ts';
import { openFileAuthority } from '../authority/file-authority.ts';
import type { CertsCode } from '../code.ts';
import { type Issued, issue } from '../issue/issue.ts';
import { type IssuedLog, openIssuedLog } from '../issue/issued-log.ts';
import type { CertificateProfile } from '../issue/profile.ts';
import type { CertsMetrics } from '../metrics.ts';
import type { Settings } from '../settings.ts';
import { openSeenTpms, type SeenTpms } from '../trust/seen-tpms.ts';
import { createTrustPublisher, type Published, type TrustPublisher } from '../trust/trust-publisher.ts';
import { openTrustStore } from '../trust/trust-store.ts';

/** What the folder holds, opened: keys, roots, published state. */
export interface Material {
  readonly roots: Roots;
  readonly publisher: TrustPublisher;
  readonly issued: IssuedLog;
  readonly seenTpms: SeenTpms;
  /** Signs a verified profile now. */
  sign(profile: CertificateProfile): Result<Issued, CertsCode>;
}

export interface MaterialOptions {
  readonly settings: Settings;
  readonly crypto: Crypto;
  readonly clock: Clock;
  readonly metrics: CertsMetrics;
  random(bytes: number): Uint8Array;
}

const SERIAL_BYTES = 16;

/** Opens the authority's folder, makes what is missing, and publishes the first trust document of this process. */
export function openMaterial(options: MaterialOptions): Material {
  const { settings, crypto, clock, metrics, random } = options;
  const now = (): number => unixSeconds(clock);
  const folder = settings.authorityDir;
  const authority = openFileAuthority({ ...settings, folder, crypto, now: now() });
  const roots = rootsOf(authority);
  const issued = openIssuedLog(folder, now);
  const publisher = createTrustPublisher({
    crypto,
    store: openTrustStore(folder),
    system: authority.issuer('system'),
    roots,
    pcrSelection: settings.pcrSelection,
    now,
    random,
  });
  const show = ({ document }: Published): void => {
    metrics.trustVersion.set(document.version);
    for (const [kind, entries] of Object.entries(document.revoked))
      metrics.revocations.set(entries.length, { kind });
  };
  publisher.published.onChange(show);
  show(publisher.published.current());
  for (const issuer of ISSUERS)
    metrics.rootNotAfter.set(authority.issuer(issuer).certificate.notAfter, { issuer });

  const sign = (profile: CertificateProfile): Result<Issued, CertsCode> => {
    const key = authority.issuer(profile.issuer);
    const result = issue(profile, { crypto, key, now: now(), serial: random(SERIAL_BYTES) });
    if (!result.ok) return result;
    const { enclaveBinding } = profile.extensions;
    // Noted before it leaves: a certificate that nobody could revoke must not exist.
    if (enclaveBinding !== undefined)
      issued.add({
        podUid: enclaveBinding.podUid,
        node: enclaveBinding.node,
        notAfter: result.value.notAfter,
      });
    metrics.issued.inc({ issuer: profile.issuer });
    return result;
  };
  return { roots, publisher, issued, seenTpms: openSeenTpms(folder), sign };
}

function rootsOf(authority: Authority): Roots {
  const list = (issuer: Issuer): Uint8Array[] => [authority.issuer(issuer).certificate.der];
  return {
    system: list('system'),
    enclaves: list('enclaves'),
    users: list('users'),
    'attestation-keys': list('attestation-keys'),
  };
}
