import { isIP } from 'node:net';
import { VERSION } from '../../names/version.ts';
import { asksForHelp, readConfig } from '../config/config.ts';
import { ConfigError } from '../config/config-error.ts';
import { processEnvironment } from '../config/environment.ts';
import { helpText } from '../config/help.ts';
import type { ConfigOf, Options } from '../config/option.ts';
import { createHealth } from '../health/health.ts';
import { serveHealth } from '../health/health-server.ts';
import type { Logger, LoggerFactory } from '../log/logger.ts';
import type { MetricsFactory } from '../metrics/metrics.ts';
import { systemClock } from './clock.ts';
import { COMMON_OPTIONS, type CommonOptions, type Context } from './context.ts';
import { explain } from './explain.ts';

/** Loggers and metrics are handed in, so that the sidecar never loads pino or prom-client. */
export interface Drivers {
  readonly logger: LoggerFactory;
  readonly metrics: MetricsFactory;
}

/**
 * A component's process: configuration, `--help` and `--version`, health port, logs, signals. Never returns.
 * Exit codes: 0 ended by a signal, 1 our own fault or something the app cannot go on without, 2 wrong use (one line on standard error).
 */
export async function run<const S extends Options>(
  component: string,
  options: S,
  app: (context: Context<S>) => Promise<void>,
  drivers: Drivers,
): Promise<never> {
  const prefix = `ENCLAVE_${component.toUpperCase().replaceAll('-', '_')}_`;
  const program = `enclave-${component}`;
  const all = { ...COMMON_OPTIONS, ...options };
  const argv = process.argv.slice(2);
  if (asksForHelp(argv)) {
    process.stdout.write(helpText(program, all, prefix));
    process.exit(0);
  }
  if (argv.includes('--version')) {
    process.stdout.write(`${program} ${VERSION}\n`);
    process.exit(0);
  }
  try {
    const sources = { argv, environment: processEnvironment(), environmentPrefix: prefix };
    const config = (await readConfig<Options>(all, sources)) as ConfigOf<CommonOptions> & ConfigOf<S>;
    if (isIP(config.bind) === 0) throw new ConfigError('--bind must be an IP address');
    const log = drivers.logger({ component, level: config.logLevel });
    process.exit(await supervise(component, config, app, log, drivers));
  } catch (error) {
    process.stderr.write(`${program}: ${explain(error)}\n`);
    process.exit(error instanceof ConfigError ? 2 : 1);
  }
}

async function supervise<S extends Options>(
  component: string,
  config: ConfigOf<CommonOptions> & ConfigOf<S>,
  app: (context: Context<S>) => Promise<void>,
  log: Logger,
  drivers: Drivers,
): Promise<number> {
  const health = createHealth();
  const metrics = drivers.metrics(`enclave_${component.replaceAll('-', '_')}_`);
  const abort = new AbortController();
  const fatal = (error: unknown): void => {
    log.error({ error }, 'unexpected failure');
    process.exit(1);
  };
  process.on('uncaughtException', fatal);
  process.on('unhandledRejection', fatal);
  const stop = (name: NodeJS.Signals): void => {
    if (abort.signal.aborted) process.exit(130);
    log.info({ signal: name }, 'draining');
    health.drain();
    abort.abort();
    setTimeout(() => {
      log.error({ milliseconds: config.shutdownTimeout }, 'drain took too long');
      process.exit(1);
    }, config.shutdownTimeout).unref();
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  // Without a listener Node opens its debugger at 127.0.0.1, where whoever shares the pod's network has the process and its keys.
  process.on('SIGUSR1', () => log.warn({}, 'no debugger is opened'));
  const server = await serveHealth(config.bind, config.healthPort, health, metrics);
  log.info({ bind: config.bind, healthPort: server.port, pid: process.pid }, 'starting');
  try {
    await app({ component, config, log, metrics, health, signal: abort.signal, clock: systemClock });
    if (!abort.signal.aborted) throw new Error('ended without being asked to');
    log.info({}, 'stopped');
    return 0;
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    // A wait that the signal cut short is a drain, not a failure.
    if (abort.signal.aborted && error instanceof Error && error.name === 'AbortError') return 0;
    log.error({ error }, explain(error));
    return 1;
  } finally {
    await server.close();
  }
}
