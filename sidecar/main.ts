import { run } from '../platform/run/run.ts';
import { app } from './app.ts';
import { lightLogger } from './log/light-logger.ts';
import { lightMetrics } from './metrics/light-metrics.ts';
import { SIDECAR_OPTIONS } from './options.ts';

await run('sidecar', SIDECAR_OPTIONS, app, { logger: lightLogger, metrics: lightMetrics });
