import { runService } from '../../platform/run/run-service.ts';

/** A component that does nothing but wait, for the tests of `run`. `--fail` fails at once. */
await runService(
  'sample',
  {
    fail: { kind: 'boolean', default: false, help: 'throw' },
    stuck: { kind: 'boolean', default: false, help: 'never drain' },
  },
  async ({ config, health, metrics, signal, log }) => {
    if (config.fail) throw new Error('as asked');
    metrics.counter('turns_total', 'Turns').inc();
    health.check('work').ok();
    log.info({ token: 'hunter22' }, 'ready');
    await new Promise<void>((resolve) => {
      signal.addEventListener('abort', () => config.stuck || resolve(), { once: true });
      // A listener alone keeps no process alive.
      const timer = setInterval(() => signal.aborted && !config.stuck && clearInterval(timer), 20);
    });
  },
);
