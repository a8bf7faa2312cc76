import { toHex } from '../../formats/bytes/bytes.ts';
import type { Result } from '../../formats/bytes/result.ts';
import type { Roots } from '../../formats/evidence/roots.ts';
import { encodePublic, publicToSpki } from '../../formats/tpm/public.ts';
import { readGivenFile } from '../../platform/files/read-given-file.ts';
import { renewalTime } from '../../platform/identity/renewal-time.ts';
import type { Logger } from '../../platform/log/logger.ts';
import { RpcRefusal } from '../../platform/rpc/rpc-error.ts';
import { createBackoff } from '../../platform/run/backoff.ts';
import { type Clock, unixSeconds } from '../../platform/run/clock.ts';
import { explain } from '../../platform/run/explain.ts';
import type { Settable } from '../../platform/run/live.ts';
import { sleep } from '../../platform/run/sleep.ts';
import type { TpmOwner, TpmSession } from '../attestation/tpm-owner.ts';
import type { AgentMetrics } from '../metrics.ts';
import { type AkCertificate, certificateOf, withCertificate } from './ak-certificates.ts';
import { type EnrolOptions, enrol } from './enrol.ts';
import { rotate } from './rotate.ts';

export interface StayEnrolledOptions {
  readonly owner: TpmOwner;
  /** Newest first; more than one while quotes of a key that was succeeded are on their way. */
  readonly certificates: Settable<readonly AkCertificate[]>;
  readonly enrolment: Pick<EnrolOptions, 'client' | 'crypto'>;
  readonly tokenFile: string;
  roots(): Roots;
  /** Whether a certificate that is due is renewed for the same key, or comes with another key. */
  readonly rotation: 'never' | 'on-renewal';
  /** SHA-256 (lower-case hex) of the SPKIs of attestation keys that an operator wants replaced. */
  retired(): readonly string[];
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Pick<AgentMetrics, 'enrolments' | 'rotations' | 'akNotAfter'>;
  readonly signal: AbortSignal;
  /** How often it is looked at whether the certificate is due, and whether the TPM still holds its key. Default 1,000. */
  readonly lookMs?: number;
  onState(problem: string | undefined): void;
}

const LOOK_MS = 1_000;
const NO_TPM_LOOK_MS = 50;

type Step = 'wait' | 'enrol' | 'rotate';

/**
 * Gets the attestation key's certificate, renews it after two thirds of its life, enrols anew when the key is another, and replaces the key when that is asked for.
 * Never rejects.
 */
export async function stayEnrolled(options: StayEnrolledOptions): Promise<void> {
  const { owner, certificates, clock, log, metrics, signal } = options;
  const backoff = createBackoff(200, 15_000);
  const due = new WeakMap<AkCertificate, number>();
  const pause = createPause(clock);
  while (!signal.aborted) {
    const { session } = owner;
    if (session === undefined) {
      await sleep(NO_TPM_LOOK_MS, signal);
      continue;
    }
    const held = certificateOf(certificates.current(), encodePublic(session.attestationKey.public));
    if (held === undefined && certificates.current().length > 0) certificates.set([]);
    const isDue = held === undefined || clock.now() >= (due.get(held) ?? 0);
    const step = nextStep(options, session, held, isDue, pause.over());
    if (step === 'wait') {
      await sleep(options.lookMs ?? LOOK_MS, signal);
      continue;
    }
    let got = step === 'rotate' ? await tryRotation(options) : undefined;
    if (step === 'rotate') pause.note(typeof got !== 'string');
    // A key that cannot be replaced still needs its certificate.
    if (got === undefined || (typeof got === 'string' && isDue)) got = await tryEnrolment(options);
    if (typeof got !== 'string') {
      due.set(got, renewalTime(got, Math.random()) * 1000);
      metrics.akNotAfter.set(got.notAfter);
      log.info({ notAfter: new Date(got.notAfter * 1000).toISOString() }, 'the attestation key is enrolled');
      backoff.reset();
      options.onState(undefined);
      continue;
    }
    if (step === 'enrol' || isDue) log.warn({}, `not enrolled: ${got}`);
    // The old certificate serves until its end.
    if (held === undefined || held.notAfter * 1000 <= clock.now()) {
      certificates.set([]);
      options.onState(got);
    }
    await backoff.wait(signal);
  }
}

function nextStep(
  options: StayEnrolledOptions,
  session: TpmSession,
  held: AkCertificate | undefined,
  isDue: boolean,
  mayRotate: boolean,
): Step {
  if (held === undefined) return 'enrol';
  if (mayRotate && isRetired(options, session)) return 'rotate';
  if (!isDue) return 'wait';
  return mayRotate && options.rotation === 'on-renewal' ? 'rotate' : 'enrol';
}

const FIRST_PAUSE_MS = 1_000;
const LAST_PAUSE_MS = 600_000;

/** What keeps a rotation from succeeding may last, and each attempt costs a certificate: the pauses grow to ten minutes. */
function createPause(clock: Clock) {
  let next = 0;
  let length = FIRST_PAUSE_MS;
  return {
    over: () => clock.now() >= next,
    note: (ok: boolean) => {
      next = ok ? 0 : clock.now() + length;
      length = ok ? FIRST_PAUSE_MS : Math.min(2 * length, LAST_PAUSE_MS);
    },
  };
}

function isRetired({ enrolment, retired }: StayEnrolledOptions, { attestationKey }: TpmSession): boolean {
  const spki = publicToSpki(attestationKey.public);
  return spki.ok && retired().includes(toHex(enrolment.crypto.hash('sha256', spki.value)));
}

/** The certificate of the key in service, or why not, in one line. */
async function tryEnrolment(options: StayEnrolledOptions): Promise<AkCertificate | string> {
  const { certificates, clock, metrics } = options;
  const got = await inOneLine(() => options.owner.use((session) => enrolSession(options, session)));
  metrics.enrolments.inc({ result: typeof got === 'string' ? 'failed' : 'ok' });
  if (typeof got !== 'string')
    certificates.set(withCertificate(certificates.current(), got, unixSeconds(clock)));
  return got;
}

/** The certificate of the key that is now in service, or why the old one still is. */
async function tryRotation(options: StayEnrolledOptions): Promise<AkCertificate | string> {
  const { owner, certificates, clock, log, metrics } = options;
  const got = await inOneLine(() =>
    rotate({
      owner,
      certificates,
      now: unixSeconds(clock),
      enrol: (session) => enrolSession(options, session),
    }),
  );
  metrics.rotations.inc({ result: typeof got === 'string' ? 'failed' : 'ok' });
  if (typeof got === 'string') log.warn({}, `the attestation key was not replaced: ${got}`);
  else log.info({}, 'the attestation key was replaced by another one');
  return got;
}

async function enrolSession(options: StayEnrolledOptions, session: TpmSession): ReturnType<typeof enrol> {
  const token = readGivenFile(options.tokenFile).toString('utf8').trim();
  const { clock, signal } = options;
  return enrol(session, {
    ...options.enrolment,
    roots: options.roots(),
    now: unixSeconds(clock),
    token,
    signal,
  });
}

async function inOneLine<T>(work: () => Promise<Result<T>>): Promise<T | string> {
  try {
    const done = await work();
    return done.ok ? done.value : `${done.message}; ${done.remedy}`;
  } catch (error) {
    return error instanceof RpcRefusal ? `${error.message}; ${error.remedy}` : explain(error);
  }
}
