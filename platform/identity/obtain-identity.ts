import { randomBytes } from 'node:crypto';
import { buildCertificateRequest } from '../../formats/x509/certificate-request.ts';
import { SIGNERS } from '../../names/signers.ts';
import { createBackoff } from '../run/backoff.ts';
import { systemClock, unixSeconds } from '../run/clock.ts';
import { explain } from '../run/explain.ts';
import { liveValue } from '../run/live.ts';
import { sleep } from '../run/sleep.ts';
import { type Credential, createCredential } from './credential.ts';
import type { Identity, IdentityOptions } from './identity.ts';
import { generateKey } from './key-pair.ts';
import { renewalTime } from './renewal-time.ts';
import { requestCertificate } from './request-certificate.ts';

const USAGES = ['digital signature', 'server auth', 'client auth'];
/** A request that nobody signed for this long is left, and a new one made: the old may have been deleted as stale. */
const PATIENCE_MS = 60_000;
/** When it is told that a certificate does not come: on a first start all wait for the certificate service a while. */
const SAID_AFTER_MS = 10_000;
/** Timers hold less than 2^31 ms. */
const LONGEST_SLEEP_MS = 3_600_000;

/**
 * A component's own certificate from the `system` issuer: a new P-256 key and a CertificateSigningRequest each time, renewed after two thirds of its life. Waits until
 * the first is there, however long the certificate service takes to come up.
 * @throws an AbortError when the signal ends the wait
 */
export async function obtainIdentity(options: IdentityOptions): Promise<Identity> {
  const identity = liveValue(await persist(options));
  void renewForEver(options, identity.current(), (next) => identity.set(next));
  return identity;
}

async function renewForEver(
  options: IdentityOptions,
  first: Credential,
  set: (next: Credential) => void,
): Promise<void> {
  const clock = options.clock ?? systemClock;
  let current = first;
  report(options, current.notAfter);
  let at = renewalTime(current, Math.random()) * 1000;
  while (!options.signal.aborted) {
    const left = at - clock.now();
    if (left > 0) {
      await sleep(Math.min(left, LONGEST_SLEEP_MS), options.signal);
      continue;
    }
    try {
      current = await persist(options, current);
    } catch {
      return;
    }
    set(current);
    report(options, current.notAfter);
    at = renewalTime(current, Math.random()) * 1000;
  }
}

/** Tries until it has a certificate or the signal aborts. */
async function persist(options: IdentityOptions, held?: Credential): Promise<Credential> {
  const backoff = createBackoff(200, 15_000);
  for (;;) {
    try {
      return await attempt(options);
    } catch (error) {
      if (options.signal.aborted)
        throw new DOMException('stopped while waiting for a certificate', 'AbortError');
      options.log.warn({ error }, `no certificate yet: ${explain(error)}`);
      report(options, held?.notAfter ?? 0, explain(error));
      await backoff.wait(options.signal);
    }
  }
}

/** A failed renewal with hours left is no reason to be unready. */
function report({ check, onRenewal, clock }: IdentityOptions, notAfter: number, trouble = ''): void {
  const ok = unixSeconds(clock ?? systemClock) < notAfter;
  if (ok) check?.ok();
  else check?.fail(`no certificate that is good now: ${trouble}`);
  onRenewal?.({ ok, notAfter });
}

async function attempt(options: IdentityOptions): Promise<Credential> {
  const { kube, component, dnsNames = [], log } = options;
  const key = generateKey();
  const name = `component-${component}-${randomBytes(5).toString('hex')}`;
  const request = buildCertificateRequest({ spki: key.spki, dns: dnsNames }, key.sign, key.scheme);
  const patience = AbortSignal.any([options.signal, AbortSignal.timeout(PATIENCE_MS)]);
  const waits = setTimeout(
    () =>
      log.warn(
        { request: name },
        `nobody has signed certificate request ${name} yet: does the certificate service run, and may it approve and sign for ${SIGNERS.system}?`,
      ),
    SAID_AFTER_MS,
  );
  const chain = await requestCertificate(
    kube,
    { name, signerName: SIGNERS.system, usages: USAGES, request },
    patience,
  ).finally(() => clearTimeout(waits));
  const credential = createCredential(key.privateKey, chain);
  log.info(
    { request: name, notAfter: new Date(credential.notAfter * 1000).toISOString() },
    'certificate issued',
  );
  return credential;
}
