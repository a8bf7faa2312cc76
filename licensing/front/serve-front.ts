import { MAX_RPC_REQUEST_BYTES } from '../../names/rpc-limits.ts';
import { nodeCrypto } from '../../platform/crypto/node-crypto.ts';
import type { Health } from '../../platform/health/health.ts';
import { RateLimiter } from '../../platform/limits/rate-limiter.ts';
import type { Logger } from '../../platform/log/logger.ts';
import type { Metrics } from '../../platform/metrics/metrics.ts';
import { createRpcServer } from '../../platform/rpc/rpc-server.ts';
import { aborted } from '../../platform/run/aborted.ts';
import type { Clock } from '../../platform/run/clock.ts';
import { explain } from '../../platform/run/explain.ts';
import type { Live } from '../../platform/run/live.ts';
import { sleep } from '../../platform/run/sleep.ts';
import type { ServerTls } from '../../platform/tls/server-options.ts';
import { LicensingServiceService } from '../../proto/gen/enclave_licensing/licensing/v1/licensing_service.ts';
import type { Store } from '../store/store.ts';
import { StoreAway } from '../store/store-away.ts';
import { FrontLease } from './front-lease.ts';
import type { FrontMetrics } from './front-metrics.ts';
import type { FrontWorld } from './front-world.ts';
import type { LaunchLimits } from './launches/launch-step.ts';
import type { Launcher } from './launches/launch-world.ts';
import { Launches } from './launches/launches.ts';
import type { Passwords } from './passwords/passwords.ts';
import { licensingHandlers } from './service/licensing-service.ts';
import type { Keyring } from './tokens/keyring.ts';
import type { Tokens } from './tokens/tokens.ts';

/** More than a person does, or a client that tries again; little enough that one user does not keep API server and TPMs busy. */
const WORK_PER_MINUTE = 120;
const SWEEP_MS = 10_000;
/** How soon a stop at another front, or its death once its lease is over, is seen. */
const LOOK_MS = 500;
const FIRST_RECONCILE_RETRY_MS = 1000;

export interface FrontParts {
  readonly store: Store;
  readonly passwords: Passwords;
  readonly tokens: Tokens;
  readonly keyring: Pick<Keyring, 'tend'>;
  readonly launcher: Launcher;
  readonly tls: Live<ServerTls>;
  readonly limits: LaunchLimits & {
    readonly seats: number;
    readonly loginsPerUser: number;
    readonly loginsPerPeer: number;
    readonly reconcileMs: number;
  };
  readonly enclaveTokens: FrontWorld['enclaveTokens'];
  readonly trustDocument: FrontWorld['trustDocument'];
  readonly judgeUser: FrontWorld['judgeUser'];
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly frontMetrics: FrontMetrics;
  readonly health?: Health;
  readonly clock: Clock;
  /** Ends the service: runs and streams end, records stay. */
  readonly signal: AbortSignal;
}

export interface ServedFront {
  readonly port: number;
  readonly launches: Launches;
  /** Resolves when everything has ended, after the signal. */
  readonly ended: Promise<void>;
}

/** Goes on with unfinished launches, then serves. @throws when the port cannot be had */
export async function serveFront(parts: FrontParts, host: string, port: number): Promise<ServedFront> {
  const { store, passwords, tokens, launcher, clock, log, limits, signal } = parts;
  const metrics = parts.frontMetrics;
  const lease = new FrontLease({ store, log, check: parts.health?.check('store'), clock });
  // Fronts that share a store share the limits too: a caller reaches any of them.
  const perMinute = (rate: number) =>
    new RateLimiter(() => {
      const part = Math.max(1, Math.ceil(rate / lease.fronts));
      return { perMinute: part, burst: part };
    });
  const startedAt = clock.now();
  const launches = new Launches({ store, lease, launcher, clock, log, metrics, limits, startedAt, signal });
  const server = createRpcServer({
    tls: parts.tls,
    log,
    metrics: parts.metrics,
    maxRequestBytes: MAX_RPC_REQUEST_BYTES,
    ...(parts.health && { health: parts.health }),
  });
  server.add(
    LicensingServiceService,
    licensingHandlers({
      store,
      passwords,
      tokens,
      launches,
      launcher,
      clock,
      metrics,
      crypto: nodeCrypto,
      loginsByUser: perMinute(limits.loginsPerUser),
      loginsByPeer: perMinute(limits.loginsPerPeer),
      workByUser: perMinute(WORK_PER_MINUTE),
      seats: limits.seats,
      enclaveTokens: parts.enclaveTokens,
      trustDocument: parts.trustDocument,
      judgeUser: parts.judgeUser,
    }),
  );
  // Before the first seat is taken: a front that nobody knows to live owns nothing. When it fails, `keep` goes on.
  await lease.renew().catch(() => undefined);
  const keeping = lease.keep(signal);
  const bound = await server.listen(host, port);
  const loops = [
    repeat('taking up launches', LOOK_MS, LOOK_MS, log, signal, () => launches.look()),
    repeat('token keys', SWEEP_MS, SWEEP_MS, log, signal, () => parts.keyring.tend()),
    repeat('sweep', SWEEP_MS, SWEEP_MS, log, signal, () => launches.sweep()),
    repeat('reconcile', limits.reconcileMs, FIRST_RECONCILE_RETRY_MS, log, signal, () =>
      launches.reconcile(),
    ),
  ];
  const ended = aborted(signal).then(async () => {
    const idle = Promise.all([launches.ended(), keeping, ...loops]).then(() => lease.leave());
    await Promise.all([server.close(), idle]);
  });
  return { port: bound, launches, ended };
}

/** At once and then after each interval; sooner, but ever later, after a failure. */
async function repeat(
  what: string,
  intervalMs: number,
  retryMs: number,
  log: Logger,
  signal: AbortSignal,
  action: () => Promise<void>,
): Promise<void> {
  let wait = retryMs;
  do {
    try {
      await action();
      wait = retryMs;
      if (!(await sleep(intervalMs, signal))) return;
    } catch (error) {
      if (signal.aborted) return;
      // Of a store that is away the lease tells.
      log[error instanceof StoreAway ? 'debug' : 'warn'](
        { error: explain(error) },
        `${what} failed; it will be tried again`,
      );
      if (!(await sleep(wait, signal))) return;
      wait = Math.min(wait * 2, intervalMs);
    }
  } while (!signal.aborted);
}
