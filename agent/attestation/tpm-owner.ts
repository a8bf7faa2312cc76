import { READ_CLOCK } from '../../formats/tpm/commands.ts';
import type { Public } from '../../formats/tpm/public.ts';
import { RC } from '../../formats/tpm/response-codes.ts';
import type { Logger } from '../../platform/log/logger.ts';
import { createBackoff } from '../../platform/run/backoff.ts';
import { explain } from '../../platform/run/explain.ts';
import { sleep } from '../../platform/run/sleep.ts';
import { loadAttestationKey } from '../../tpm/attestation-key.ts';
import { makeClockSafe } from '../../tpm/clock.ts';
import { isResponse, TpmExecutor, TpmResponseError } from '../../tpm/executor.ts';
import { flushAll, startup } from '../../tpm/objects.ts';
import { type TpmTransport, TpmUnavailable } from '../../tpm/transport/transport.ts';

/** The TPM is gone, was reset under us, or somebody removed the key: setting it up again mends all of these. */
function isLoss(error: unknown): error is Error {
  return (
    error instanceof TpmUnavailable || [RC.initialize, RC.handle].some((code) => isResponse(error, code))
  );
}

/** The TPM, set up: its attestation key is loaded and persistent. */
export interface TpmSession {
  readonly tpm: TpmExecutor;
  readonly attestationKey: { readonly handle: number; readonly public: Public; readonly name: Uint8Array };
}

export interface TpmOwnerOptions {
  readonly open: () => Promise<TpmTransport>;
  readonly log: Logger;
  /** How long work waits for a TPM that is away; most come back at once, or not for a while. Default 3,000. */
  readonly patienceMs?: number;
  /** How often an idle TPM is asked whether it is there. Default 5,000. */
  readonly heartbeatMs?: number;
  onUp(session: TpmSession): void;
  onDown(reason: string): void;
}

const PATIENCE_MS = 3_000;
const HEARTBEAT_MS = 5_000;

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
        const reason = explain(error);
        // Once for each reason: it is tried every two seconds, for as long as it takes.
        log[reason === this.#reason ? 'debug' : 'error']({ error }, `the TPM is of no use: ${reason}`);
        this.#reason = reason;
        this.#options.onDown(reason);
      }
      await backoff.wait(signal);
    }
    await this.#session?.tpm.close().catch(() => undefined);
  }

  /**
   * Does work with the TPM. When the TPM is found gone, waits a moment for it to come back and does the work once more.
   * @throws TpmUnavailable when it is still away; TpmResponseError and the work's own errors as they are
   */
  async use<T>(work: (session: TpmSession) => Promise<T>): Promise<T> {
    const session = this.#session ?? (await this.#waitForSession());
    try {
      return await work(session);
    } catch (error) {
      if (!isLoss(error)) throw error;
      this.#lose(session, error);
      return work(await this.#waitForSession());
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
      return { tpm, attestationKey: await loadAttestationKey(tpm) };
    } catch (error) {
      await tpm.close().catch(() => undefined);
      throw error;
    }
  }

  #change(session: TpmSession | undefined): void {
    this.#session = session;
    const { resolve } = this.#changed;
    this.#changed = Promise.withResolvers();
    resolve();
  }

  #lose(session: TpmSession, error: Error): void {
    if (this.#session !== session) return;
    this.#reason = error.message;
    this.#options.log.warn({ error }, `the TPM is gone: ${error.message}`);
    void session.tpm.close().catch(() => undefined);
    this.#change(undefined);
    this.#options.onDown(error.message);
  }

  /** Until the session is gone. A TPM that nobody asks is asked for the time now and then, so that its absence shows. */
  async #lost(session: TpmSession, signal: AbortSignal): Promise<void> {
    while (this.#session === session && !signal.aborted) {
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
        if (isLoss(error)) this.#lose(session, error);
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
