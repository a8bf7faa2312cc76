/** `node front-process.ts CONFIG`: one front in a process of its own, which can be killed. Says its ports in a line of JSON. */
import { readFileSync } from 'node:fs';
import { openPostgresStore } from '../../licensing/store/postgres-store.ts';
import { createHealth } from '../../platform/health/health.ts';
import { serveHealth } from '../../platform/health/health-server.ts';
import { createCredential, readPrivateKey } from '../../platform/identity/credential.ts';
import { pinoLogger } from '../../platform/log/pino-logger.ts';
import { promMetrics } from '../../platform/metrics/prom-metrics.ts';
import { systemClock } from '../../platform/run/clock.ts';
import type { FrontProcessConfig } from './front-processes.ts';
import { startFrontUnderTest } from './front-under-test.ts';

const config = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as FrontProcessConfig;
const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'base64'));
const metrics = promMetrics('enclave_front_');
const health = createHealth();
const front = await startFrontUnderTest({
  store: await openPostgresStore({
    url: config.url,
    password: async () => config.url.password,
    ca: undefined,
    connections: 10,
    localAddress: '127.0.0.1',
  }),
  launcherPort: config.launcherPort,
  roots: config.roots.map(bytes),
  credential: createCredential(readPrivateKey(config.key), config.chain.map(bytes)),
  limits: config.limits,
  log: pinoLogger({ component: 'front', level: 'info' }),
  metrics,
  clock: systemClock,
  health,
  judgeUser: () => undefined,
});
const { port: healthPort } = await serveHealth('127.0.0.1', 0, health, metrics);
process.on('SIGTERM', () => void front.stop().then(() => process.exit(0)));
console.log(JSON.stringify({ port: front.port, healthPort }));
