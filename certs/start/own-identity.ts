import type { Result } from '../../formats/bytes/result.ts';
import { type Credential, createCredential } from '../../platform/identity/credential.ts';
import { generateKey } from '../../platform/identity/key-pair.ts';
import { renewalTime } from '../../platform/identity/renewal-time.ts';
import { type Live, liveValue } from '../../platform/run/live.ts';
import { sleep } from '../../platform/run/sleep.ts';
import type { CertsCode } from '../code.ts';
import type { Issued } from '../issue/issue.ts';
import type { CertificateProfile } from '../issue/profile.ts';
import { componentProfile } from '../issue/profiles.ts';

export interface OwnIdentityOptions {
  readonly dnsNames: readonly string[];
  sign(profile: CertificateProfile): Result<Issued, CertsCode>;
  /** Milliseconds. */
  now(): number;
  readonly signal: AbortSignal;
}

/** Timers hold less than 2^31 ms. */
const LONGEST_SLEEP_MS = 3_600_000;

/** The certificate service's own certificate: signed in process, because nobody else could, and renewed like every component's. */
export function ownIdentity(options: OwnIdentityOptions): {
  identity: Live<Credential>;
  renewals: Promise<void>;
} {
  const identity = liveValue(signForSelf(options));
  const renewals = async (): Promise<void> => {
    while (!options.signal.aborted) {
      const left = renewalTime(identity.current(), Math.random()) * 1000 - options.now();
      if (left <= 0) identity.set(signForSelf(options));
      else await sleep(Math.min(left, LONGEST_SLEEP_MS), options.signal);
    }
  };
  return { identity, renewals: renewals() };
}

function signForSelf(options: OwnIdentityOptions): Credential {
  const key = generateKey();
  const issued = options.sign(componentProfile(key.spki, options.dnsNames));
  if (!issued.ok) throw new Error(`no certificate for the certificate service itself: ${issued.message}`);
  return createCredential(key.privateKey, [issued.value.certificate]);
}
