import { readFile } from 'node:fs/promises';
import { equal } from '../../formats/bytes/bytes.ts';
import type { Roots } from '../../formats/evidence/roots.ts';
import { encodePublic } from '../../formats/tpm/public.ts';
import { renewalTime } from '../../platform/identity/renewal-time.ts';
import type { Logger } from '../../platform/log/logger.ts';
import { createBackoff } from '../../platform/run/backoff.ts';
import { type Clock, unixSeconds } from '../../platform/run/clock.ts';
import { explain } from '../../platform/run/explain.ts';
import type { Settable } from '../../platform/run/live.ts';
import { sleep } from '../../platform/run/sleep.ts';
import type { TpmOwner, TpmSession } from '../attestation/tpm-owner.ts';
import type { AgentMetrics } from '../metrics.ts';
import { type AkCertificate, type EnrolOptions, enrol } from './enrol.ts';

export interface StayEnrolledOptions {
  readonly owner: TpmOwner;
  readonly certificate: Settable<AkCertificate | undefined>;
  readonly enrolment: Pick<EnrolOptions, 'client' | 'crypto'>;
  readonly tokenFile: string;
  roots(): Roots;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Pick<AgentMetrics, 'enrolments' | 'akNotAfter'>;
  readonly signal: AbortSignal;
  onState(problem: string | undefined): void;
}

/** How often the certificate is looked at: whether it is due, whether the TPM still holds its key. */
const LOOK_MS = 1_000;
const NO_TPM_LOOK_MS = 50;

/** Gets the attestation key's certificate, renews it after two thirds of its life, and enrols anew when the key is another. Never rejects. */
export async function stayEnrolled(options: StayEnrolledOptions): Promise<void> {
  const { owner, certificate, clock, log, metrics, signal } = options;
  const backoff = createBackoff(200, 15_000);
  let due = 0;
  while (!signal.aborted) {
    const { session } = owner;
    const held = certificate.current();
    const isOurs = session === undefined || (held !== undefined && isFor(held, session));
    if (held !== undefined && !isOurs) certificate.set(undefined);
    if (session === undefined || (isOurs && clock.now() < due)) {
      await sleep(session === undefined ? NO_TPM_LOOK_MS : LOOK_MS, signal);
      continue;
    }
    const problem = await attempt(options);
    metrics.enrolments.inc({ result: problem === undefined ? 'ok' : 'failed' });
    const now = certificate.current();
    if (problem === undefined && now !== undefined) {
      due = renewalTime(now, Math.random()) * 1000;
      metrics.akNotAfter.set(now.notAfter);
      log.info({ notAfter: new Date(now.notAfter * 1000).toISOString() }, 'the attestation key is enrolled');
      backoff.reset();
      options.onState(undefined);
      continue;
    }
    log.warn({}, `not enrolled: ${problem}`);
    // The old certificate serves until its end.
    const serves = now !== undefined && now.notAfter * 1000 > clock.now();
    if (!serves) {
      certificate.set(undefined);
      options.onState(problem);
    }
    await backoff.wait(signal);
  }
}

function isFor(certificate: AkCertificate, session: TpmSession): boolean {
  return equal(certificate.attestationKeyPublic, encodePublic(session.attestationKey.public));
}

/** Undefined when it went well, else why not, in one line. */
async function attempt(options: StayEnrolledOptions): Promise<string | undefined> {
  try {
    const token = (await readFile(options.tokenFile, 'utf8')).trim();
    const { signal } = options;
    const enrolled = await options.owner.use((session) =>
      enrol(session, {
        ...options.enrolment,
        roots: options.roots(),
        now: unixSeconds(options.clock),
        token,
        signal,
      }),
    );
    if (!enrolled.ok) return `${enrolled.message}; ${enrolled.remedy}`;
    options.certificate.set(enrolled.value);
    return undefined;
  } catch (error) {
    return explain(error);
  }
}
