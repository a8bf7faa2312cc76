import type { Options } from '../config/option.ts';
import { pinoLogger } from '../log/pino-logger.ts';
import { promMetrics } from '../metrics/prom-metrics.ts';
import type { Context } from './context.ts';
import { run } from './run.ts';

/** `run` with pino and prom-client: for every component but the sidecar. */
export function runService<const S extends Options>(
  component: string,
  options: S,
  app: (context: Context<S>) => Promise<void>,
): Promise<never> {
  return run(component, options, app, { logger: pinoLogger, metrics: promMetrics });
}
