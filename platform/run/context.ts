import type { ConfigOf, Options } from '../config/option.ts';
import type { Health } from '../health/health.ts';
import { LOG_LEVELS, type Logger } from '../log/logger.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { Clock } from './clock.ts';

/** Every component has these. */
export const COMMON_OPTIONS = {
  bind: { kind: 'string', required: true, help: 'IP address to listen on and to dial from' },
  healthPort: {
    kind: 'integer',
    default: 9464,
    min: 0,
    max: 65_535,
    help: 'port of /livez, /readyz and /metrics',
  },
  logLevel: { kind: 'choice', values: LOG_LEVELS, default: 'info', help: 'least level that is logged' },
  shutdownTimeout: { kind: 'duration', default: '20s', help: 'how long a drain may take after SIGTERM' },
  config: { kind: 'path', help: 'YAML file with any of these settings' },
} as const satisfies Options;

export type CommonOptions = typeof COMMON_OPTIONS;

/** What an app is given. It runs until the signal aborts, drains, and returns. */
export interface Context<S extends Options> {
  readonly component: string;
  readonly config: ConfigOf<CommonOptions> & ConfigOf<S>;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly health: Health;
  /** Aborts on SIGTERM and SIGINT. Readiness has ended by then. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
}
