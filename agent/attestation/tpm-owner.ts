import { toUtf8 } from '../../formats/bytes/bytes.ts';
import { decodeAttest } from '../../formats/tpm/attest.ts';
import { READ_CLOCK } from '../../formats/tpm/commands.ts';
import type { Logger } from '../../platform/log/logger.ts';
import { createBackoff } from '../../platform/run/backoff.ts';
import { sleep } from '../../platform/run/sleep.ts';
import { loadAttestationKey } from '../../tpm/attestation-key.ts';
import { makeClockSafe } from '../../tpm/clock.ts';
import { TpmExecutor, TpmResponseError } from '../../tpm/executor.ts';
import { flushAll, startup, type TpmObject } from '../../tpm/objects.ts';
import { quote } from '../../tpm/quote.ts';
import { type TpmTransport, TpmUnavailable } from '../../tpm/transport/transport.ts';
import { judgeFailure, type TpmFailureKind } from './tpm-failure.ts';
import { type TpmSight, whatChanged } from './what-changed.ts';

/** The TPM, set up: its attestation key is loaded and persistent. Another key in service is another session of the same executor. */
export interface TpmSession {
  readonly tpm: TpmExecutor;
  readonly attestationKey: TpmObject;
}

export interface TpmOwnerOptions {
  readonly open: () => Promise<TpmTransport>;
  readonly log: Logger;
  /** How long work waits for a TPM that is away; most come back at once, or not for a while. Default 3,000. */
  readonly patienceMs?: number;
  /** How often an idle TPM is asked whether it is there. Default 5,000. */
  readonly heartbeatMs?: number;
  onUp(session: TpmSession): void;
  /** A person's sentence: what is wrong, and what to do about it. */
  onDown(reason: string): void;
  onFailure(kind: TpmFailureKind): void;
}

/** Of work, the second after the TPM was set up again. */
const ATTEMPTS = 2;
const TRIAL = toUtf8('enclave-trial/1');
const PATIENCE_MS = 3_000;
const HEARTBEAT_MS = 5_000;

function isTpms(error: unknown): boolean {
  return error instanceof TpmUnavailable || error instanceof TpmResponseError;
}

/**
 * The one owner of the TPM in this process. Sets it up, notices when it is gone, and sets it up again for as long as
 * the process lives; nothing needs a restart.
 */
export class TpmOwner {
  readonly #options: TpmOwnerOptions;
  #session: TpmSession | undefined;
  #reason = 'the TPM is not set up yet';
  /** Resolves at the next change of the session. */
  #changed = Promise.withResolvers<void>();
  /** Name of the attestation key last in service: it stays so when the TPM comes back in the middle of a rotation. */
  #inService: Uint8Array | undefined;
  #seen: TpmSight | undefined;
  /** Work under way, by session. */
  readonly #users = new Map<TpmSession, { count: number; readonly idle: PromiseWithResolvers<void> }>();

  constructor(options: TpmOwnerOptions) {
    this.#options = options;
  }

  /** Undefined while the TPM is away. */
  get session(): TpmSession | undefined {
    return this.#session;
  }

  /** Runs until the signal aborts. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const backoff = createBackoff(50, 2_000);
    const { log } = this.#options;
    while (!signal.aborted) {
      try {
        const session = await this.#setUp();
        backoff.reset();
        this.#change(session);
        this.#options.onUp(session);
        log.info({ handle: session.attestationKey.handle }, 'the TPM is set up');
        await this.#lost(session, signal);
      } catch (error) {
        const { kind, reason } = judgeFailure(error);
        this.#options.onFailure(kind);
        // Once for each reason: it is tried every two seconds, for as long as it takes.
        log[reason === this.#reason ? 'debug' : 'error']({ error, kind }, `the TPM is of no use: ${reason}`);
        this.#reason = reason;
        this.#options.onDown(reason);
      }
      await backoff.wait(signal);
    }
    await this.#session?.tpm.close().catch(() => undefined);
  }

  /**
   * Does work with the TPM. When the TPM fails in a way that setting it up again may mend, waits a moment for that and does the
   * work once more.
   * @throws TpmUnavailable when it is still of no use, with the reason; the work's own errors as they are
   */
  async use<T>(work: (session: TpmSession) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      const session = this.#session ?? (await this.#waitForSession());
      try {
        return await this.#work(session, work);
      } catch (error) {
        const { kind, reason, setUpAgain } = judgeFailure(error);
        // A session that others lost already is counted once.
        if (this.#session?.tpm === session.tpm && isTpms(error)) this.#options.onFailure(kind);
        if (!setUpAgain) throw error;
        this.#lose(session, error, reason);
        if (attempt === ATTEMPTS) throw new TpmUnavailable(reason, { cause: error });
      }
    }
  }

  /**
   * Puts another attestation key into service. Work that begins from now on gets it; resolves when no work uses the old one any more.
   * @param session the session in service, whose key is succeeded
   * @returns undefined when that session is over
   */
  async succeed(session: TpmSession, attestationKey: TpmObject): Promise<TpmSession | undefined> {
    if (this.#session !== session) return undefined;
    const next: TpmSession = { ...session, attestationKey };
    this.#change(next);
    await this.#users.get(session)?.idle.promise;
    return next;
  }

  async #work<T>(session: TpmSession, work: (session: TpmSession) => Promise<T>): Promise<T> {
    const users = this.#users.get(session) ?? { count: 0, idle: Promise.withResolvers<void>() };
    this.#users.set(session, users);
    users.count += 1;
    try {
      return await work(session);
    } finally {
      users.count -= 1;
      if (users.count === 0) {
        this.#users.delete(session);
        users.idle.resolve();
      }
    }
  }

  async #setUp(): Promise<TpmSession> {
    const tpm = new TpmExecutor(await this.#options.open());
    try {
      await startup(tpm);
      await flushAll(tpm);
      await makeClockSafe(tpm).catch((error: unknown) => {
        // An owner who keeps the authorization to himself: quotes come all the same, verifiers see that the clock is doubtful.
        if (!(error instanceof TpmResponseError)) throw error;
        this.#options.log.warn({ error }, `the clock stays doubtful for a while: ${error.message}`);
      });
      const attestationKey = await loadAttestationKey(tpm, this.#inService);
      await this.#try(tpm, attestationKey);
      return { tpm, attestationKey };
    } catch (error) {
      await tpm.close().catch(() => undefined);
      throw error;
    }
  }

  /** "Up" means that it quotes, not that it answers; and a first quote shows what became of it since it was here last. */
  async #try(tpm: TpmExecutor, { handle, name }: TpmObject): Promise<void> {
    // Nobody's batch hashes to this text.
    const made = await quote(tpm, handle, TRIAL, { hash: 'sha256', pcrs: [] });
    const attest = decodeAttest(made.attest);
    if (!attest.ok) throw new TpmUnavailable(attest.message);
    const sight: TpmSight = { name, clockInfo: attest.value.clockInfo };
    const before = this.#seen && { ...this.#seen, name: this.#inService ?? this.#seen.name };
    const change = before && whatChanged(before, sight);
    if (change !== undefined) this.#options.log.warn({}, change);
    this.#seen = sight;
  }

  #change(session: TpmSession | undefined): void {
    this.#session = session;
    this.#inService = session?.attestationKey.name ?? this.#inService;
    const { resolve } = this.#changed;
    this.#changed = Promise.withResolvers();
    resolve();
  }

  #lose(session: TpmSession, error: unknown, reason: string): void {
    if (this.#session?.tpm !== session.tpm) return;
    this.#reason = reason;
    this.#options.log.warn({ error }, `the TPM is set up again: ${reason}`);
    void session.tpm.close().catch(() => undefined);
    this.#change(undefined);
    this.#options.onDown(reason);
  }

  /** Until the session is gone. A TPM that nobody asks is asked for the time now and then, so that its absence shows. */
  async #lost(session: TpmSession, signal: AbortSignal): Promise<void> {
    while (this.#session?.tpm === session.tpm && !signal.aborted) {
      const pause = new AbortController();
      const heartbeat = sleep(
        this.#options.heartbeatMs ?? HEARTBEAT_MS,
        AbortSignal.any([signal, pause.signal]),
      );
      const due = await Promise.race([this.#changed.promise.then(() => false), heartbeat]);
      pause.abort();
      if (!due) continue;
      try {
        await session.tpm.execute(READ_CLOCK, {});
      } catch (error) {
        const { kind, reason, setUpAgain } = judgeFailure(error);
        this.#options.onFailure(kind);
        if (setUpAgain) this.#lose(session, error, reason);
      }
    }
  }

  async #waitForSession(): Promise<TpmSession> {
    const patienceMs = this.#options.patienceMs ?? PATIENCE_MS;
    const timeout = Promise.withResolvers<void>();
    const timer = setTimeout(timeout.resolve, patienceMs);
    const until = performance.now() + patienceMs;
    try {
      while (this.#session === undefined) {
        if (performance.now() >= until) throw new TpmUnavailable(this.#reason);
        await Promise.race([this.#changed.promise, timeout.promise]);
      }
      return this.#session;
    } finally {
      clearTimeout(timer);
    }
  }
}
