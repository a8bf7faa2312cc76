import type { Result } from '../../formats/bytes/result.ts';
import type { Crypto } from '../../formats/crypto/crypto.ts';
import type { Roots } from '../../formats/evidence/roots.ts';
import { TRUST_STATE_SECRET } from '../../names/certs-state.ts';
import { ROOTS_CONFIG_MAP } from '../../names/components.ts';
import { ISSUERS, type Issuer } from '../../names/signers.ts';
import type { Kube } from '../../platform/kube/kube.ts';
import { type Clock, unixSeconds } from '../../platform/run/clock.ts';
import type { Authority } from '../authority/authority.ts';
import { openSecretAuthority } from '../authority/secret-authority.ts';
import type { CertsCode } from '../code.ts';
import { type Issued, issue } from '../issue/issue.ts';
import type { CertificateProfile } from '../issue/profile.ts';
import type { CertsMetrics } from '../metrics.ts';
import type { Settings } from '../settings.ts';
import { openSeenTpms, type SeenTpms } from '../trust/seen-tpms.ts';
import { createTrustPublisher, type Published, type TrustPublisher } from '../trust/trust-publisher.ts';
import { createTrustStore } from '../trust/trust-store.ts';
import { publishedRoots } from './roots-config-map.ts';

/** What the cluster keeps for the certificate service, opened: keys, roots, published state. */
export interface Material {
  readonly roots: Roots;
  readonly publisher: TrustPublisher;
  readonly seenTpms: SeenTpms;
  /** Signs a verified profile now. @throws when this process no longer leads */
  sign(profile: CertificateProfile): Result<Issued, CertsCode>;
}

export interface MaterialOptions {
  readonly settings: Settings;
  readonly kube: Kube;
  readonly crypto: Crypto;
  readonly clock: Clock;
  readonly metrics: CertsMetrics;
  random(bytes: number): Uint8Array;
  /** Whether this process still leads: two never sign. */
  holds(): boolean;
}

const SERIAL_BYTES = 16;

/**
 * Opens what the cluster keeps, makes what is missing, and publishes the first trust document of this term. A first start goes in this order: issuers, trust
 * state, roots' ConfigMap. Whatever of it is there says that what comes before must be there as well: it is never made a second time.
 * @throws Error in one line that says what is wrong and what to do; or what the API server says
 */
export async function openMaterial(options: MaterialOptions): Promise<Material> {
  const { settings, kube, crypto, clock, metrics, random, holds } = options;
  const now = (): number => unixSeconds(clock);
  const namespace = settings.releaseNamespace;
  const store = createTrustStore(kube, namespace);
  const [published, state, seenTpms] = await Promise.all([
    publishedRoots(kube, namespace),
    store.load(),
    openSeenTpms(kube),
  ]);
  const shown = [
    ...(state === undefined ? [] : [`Secret ${TRUST_STATE_SECRET}`]),
    ...(published === undefined ? [] : [`ConfigMap ${ROOTS_CONFIG_MAP}`]),
  ];
  const authority = await openSecretAuthority({
    kube,
    namespace,
    context: { ...settings, crypto, now: now(), random },
    begun: shown.length === 0 ? undefined : `${shown.join(' and ')} shows that this cluster has an authority`,
  });
  if (state === undefined && published !== undefined)
    throw new Error(
      `Secret ${TRUST_STATE_SECRET} is gone, but ConfigMap ${ROOTS_CONFIG_MAP} is there: restore it from its backup, it holds what was revoked`,
    );
  const roots = rootsOf(authority);
  const publisher = await createTrustPublisher({
    crypto,
    store,
    stored: state,
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
    if (!holds()) throw new Error('another certificate service leads by now');
    const key = authority.issuer(profile.issuer);
    const result = issue(profile, { crypto, key, now: now(), serial: random(SERIAL_BYTES) });
    if (result.ok) metrics.issued.inc({ issuer: profile.issuer });
    return result;
  };
  return { roots, publisher, seenTpms, sign };
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
