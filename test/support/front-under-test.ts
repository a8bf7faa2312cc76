import { frontMetrics } from '../../licensing/front/front-metrics.ts';
import { startPasswords } from '../../licensing/front/passwords/passwords.ts';
import { serveFront } from '../../licensing/front/serve-front.ts';
import type { UserRefusal } from '../../licensing/front/service/judge-user.ts';
import { Keyring } from '../../licensing/front/tokens/keyring.ts';
import { createTokens } from '../../licensing/front/tokens/tokens.ts';
import type { Store } from '../../licensing/store/store.ts';
import type { Health } from '../../platform/health/health.ts';
import type { Credential } from '../../platform/identity/credential.ts';
import type { Logger } from '../../platform/log/logger.ts';
import type { Metrics } from '../../platform/metrics/metrics.ts';
import { createRpcClient } from '../../platform/rpc/rpc-client.ts';
import type { Clock } from '../../platform/run/clock.ts';
import { liveValue } from '../../platform/run/live.ts';
import { LauncherServiceService } from '../../proto/gen/enclave_licensing/launcher/v1/launcher_service.ts';
import { LAUNCHER_NAME } from './fake-launcher.ts';

export const FRONT_NAME = 'front.enclave-licensing.internal';

export interface FrontLimits {
  readonly seats?: number;
  readonly loginsPerUser?: number;
  readonly loginsPerPeer?: number;
  readonly launchTimeoutMs?: number;
  readonly unattendedTimeoutMs?: number;
}

export interface FrontUnderTestOptions {
  readonly store: Store;
  readonly launcherPort: number;
  /** Of the launcher, DER. */
  readonly roots: readonly Uint8Array[];
  readonly credential: Credential;
  readonly limits: FrontLimits;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly health?: Health;
  judgeUser(user: string): UserRefusal | undefined;
}

/** Front as its app wires it, without Kubernetes and the certificate service. */
export async function startFrontUnderTest(options: FrontUnderTestOptions) {
  const { store, credential, metrics, clock, health } = options;
  const counters = frontMetrics(metrics);
  const passwords = await startPasswords({
    logN: 10,
    concurrency: 2,
    queue: 50,
    onRun: counters.scryptBegun,
  });
  const keyring = await Keyring.open(store, {
    keyLifetimeMs: 86_400_000,
    tokenLifetimeMs: 3_600_000,
    clock,
  });
  keyring.published((await keyring.wanted()).map(({ id }) => id));
  const abort = new AbortController();
  const launcher = createRpcClient(LauncherServiceService, {
    address: { host: '127.0.0.1', port: options.launcherPort },
    serverName: LAUNCHER_NAME,
    roots: liveValue(options.roots),
    credential: liveValue(credential),
    maxResponseBytes: 1 << 20,
  });
  const served = await serveFront(
    {
      store,
      passwords,
      tokens: createTokens(keyring, 3_600_000),
      keyring,
      launcher,
      tls: liveValue({ credential }),
      limits: {
        seats: 2,
        loginsPerUser: 1000,
        loginsPerPeer: 1000,
        launchTimeoutMs: 60_000,
        unattendedTimeoutMs: 600_000,
        reconcileMs: 3_600_000,
        ...options.limits,
      },
      enclaveTokens: { lifetimeMs: 600_000, domain: 'enclaves.test', namespaces: ['open'] },
      trustDocument: () => undefined,
      judgeUser: options.judgeUser,
      log: options.log,
      metrics,
      frontMetrics: counters,
      ...(health && { health }),
      clock,
      signal: abort.signal,
    },
    '127.0.0.1',
    0,
  );
  const stop = async (): Promise<void> => {
    abort.abort();
    await served.ended;
    launcher.close();
    await passwords.close();
    await store.close();
  };
  return { ...served, store, keyring, stop };
}
export type FrontUnderTest = Awaited<ReturnType<typeof startFrontUnderTest>>;
