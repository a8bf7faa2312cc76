/** `webhook-server.ts`, forked by bench/webhook.ts with `--expose-gc`: one of the servers that are compared. */
import type { AddressInfo } from 'node:net';
import { type FastifyInstance, fastify } from 'fastify';
import { pinoLogger } from '../platform/log/pino-logger.ts';
import { promMetrics } from '../platform/metrics/prom-metrics.ts';
import { CONFIG } from '../test/injection/support.ts';
import { createWebhook } from '../webhook/server.ts';
import type { ServerReport, ServerSetup } from './webhook-tasks.ts';

const TLS = { minVersion: 'TLSv1.3', maxVersion: 'TLSv1.3' } as const;

interface Review {
  readonly request: { readonly uid: string };
}

function idle({ serve, cert, key, answer }: ServerSetup): FastifyInstance {
  const app: FastifyInstance = fastify({
    logger: false,
    bodyLimit: 3 * 2 ** 20,
    https: { cert, key, ...TLS },
  });
  if (serve === 'admits') {
    app.post('/mutate', (request, reply) =>
      reply.send({
        apiVersion: 'admission.k8s.io/v1',
        kind: 'AdmissionReview',
        response: { uid: (request.body as Review).request.uid, allowed: true },
      }),
    );
    return app;
  }
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) =>
    done(null, body),
  );
  app.post('/mutate', (_request, reply) => reply.header('content-type', 'application/json').send(answer));
  return app;
}

function product({ cert, key, roots }: ServerSetup): FastifyInstance {
  return createWebhook({
    config: () => ({ ...CONFIG, roots }),
    releaseNamespace: 'enclave-licensing',
    log: pinoLogger({ component: 'webhook', level: 'info' }),
    metrics: promMetrics('enclave_webhook_'),
    https: { cert, key, ...TLS },
  });
}

let port = 0;
process.on('message', (message: ServerSetup | 'report') => {
  void (async () => {
    if (message !== 'report') {
      const app = message.serve === 'webhook' ? product(message) : idle(message);
      await app.listen({ host: '127.0.0.1', port: 0 });
      ({ port } = app.server.address() as AddressInfo);
    }
    const { user, system } = process.cpuUsage();
    globalThis.gc?.();
    const { heapUsed, rss } = process.memoryUsage();
    const report: ServerReport = {
      port,
      cpu: (user + system) / 1e6,
      heapBytes: heapUsed,
      residentBytes: rss,
    };
    process.send?.(report);
  })();
});
process.on('disconnect', () => process.exit());
