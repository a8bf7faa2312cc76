import type { Logger } from '../../../platform/log/logger.ts';
import type { RpcMethods } from '../../../platform/rpc/service.ts';
import type { Clock } from '../../../platform/run/clock.ts';
import type { LauncherServiceService } from '../../../proto/gen/enclave_licensing/launcher/v1/launcher_service.ts';
import type { Store } from '../../store/store.ts';
import type { FrontLease } from '../front-lease.ts';
import type { FrontMetrics } from '../front-metrics.ts';
import type { LaunchLimits } from './launch-step.ts';

export type Launcher = RpcMethods<typeof LauncherServiceService>;

/** What launches work with. */
export interface LaunchWorld {
  readonly store: Store;
  /** Who this front is among those of the store. */
  readonly lease: Pick<FrontLease, 'name' | 'held' | 'eldest' | 'onLapse'>;
  readonly launcher: Launcher;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: FrontMetrics;
  readonly limits: LaunchLimits;
  /** When this process began, milliseconds since 1970. */
  readonly startedAt: number;
  /** Aborts when the process stops: runs end, records stay. */
  readonly signal: AbortSignal;
}
