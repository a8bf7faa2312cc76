import { type FastifyInstance, type FastifyReply, fastify } from 'fastify';
import type { InjectionConfig } from '../injection/config.ts';
import { decide } from '../injection/decide.ts';
import type { Logger } from '../platform/log/logger.ts';
import type { Metrics } from '../platform/metrics/metrics.ts';
import { type AdmissionRequest, type AdmissionReview, allow, deny, readReview } from './admission-review.ts';
import { readNamespaceReview } from './keeper/namespace-review.ts';
import { type Census, judgeNamespace } from './keeper/namespace-rule.ts';
import { validate } from './validate.ts';

/** An API server sends objects of at most 1.5 MiB as JSON of at most 3 MiB, old object included. */
export const BODY_LIMIT = 3 * 1024 * 1024;

export interface WebhookSettings {
  /** The configuration as it is now: roots change while we serve. */
  readonly config: () => InjectionConfig;
  readonly releaseNamespace: string;
  /** Which enclaves run. Without one no namespace may lose its label. */
  readonly census?: Census;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Options of the HTTPS server; absent only in tests of the handlers. */
  readonly https?: object;
}

type Handler = (request: AdmissionRequest) => { review: AdmissionReview; outcome: string; code?: string };

const ENDPOINTS = ['mutate', 'validate', 'validate-namespace'] as const;
const NO_CENSUS: Census = { current: () => false, running: () => [] };

/** The endpoints for pods and for namespaces. No call to the API server, no file, no diff on the path of a review. */
export function createWebhook(settings: WebhookSettings): FastifyInstance {
  const { config, releaseNamespace, census = NO_CENSUS, log, metrics } = settings;
  const reviews = metrics.counter('reviews_total', 'Admission reviews by endpoint and outcome.', [
    'endpoint',
    'outcome',
  ]);
  const refusals = metrics.counter('refusals_total', 'Refused requests by code.', ['endpoint', 'code']);
  const seconds = metrics.histogram(
    'review_seconds',
    'Time of a review.',
    ['endpoint'],
    [0.0001, 0.001, 0.01, 0.1, 1],
  );
  const app: FastifyInstance = fastify({
    bodyLimit: BODY_LIMIT,
    logger: false,
    ...(settings.https !== undefined && { https: settings.https }),
  });

  const mutate: Handler = ({ uid, pod, namespace }) => {
    const decision = decide(pod, namespace, config());
    if (!decision.ok) return { review: deny(uid, decision), outcome: 'refused', code: decision.code };
    const { patch, warnings } = decision;
    return { review: allow(uid, patch, warnings), outcome: patch.length > 0 ? 'patched' : 'unchanged' };
  };
  const check: Handler = (request) => {
    const result = validate(request, config(), releaseNamespace);
    return result.ok
      ? { review: allow(request.uid), outcome: 'allowed' }
      : { review: deny(request.uid, result), outcome: 'refused', code: result.code };
  };

  const serve = (endpoint: string, handler: Handler) => (body: unknown, reply: FastifyReply) => {
    const start = performance.now();
    const request = readReview(body);
    if (request === undefined) {
      reviews.inc({ endpoint, outcome: 'malformed' });
      return reply.code(400).send({ error: 'not an admission.k8s.io/v1 AdmissionReview of a pod' });
    }
    if (request.operation !== 'CREATE') return allow(request.uid);
    const { review, outcome, code } = handler(request);
    reviews.inc({ endpoint, outcome });
    if (code !== undefined) {
      refusals.inc({ endpoint, code });
      const { name, generateName } = request.pod.metadata ?? {};
      log.info({ endpoint, namespace: request.namespace, pod: name ?? generateName, code }, 'pod refused');
    }
    seconds.observe((performance.now() - start) / 1000, { endpoint });
    return review;
  };
  const serveNamespace = (body: unknown, reply: FastifyReply) => {
    const endpoint = 'validate-namespace';
    const review = readNamespaceReview(body);
    if (review === undefined) {
      reviews.inc({ endpoint, outcome: 'malformed' });
      return reply.code(400).send({ error: 'not an admission.k8s.io/v1 AdmissionReview of a namespace' });
    }
    const { uid, change } = review;
    const excluded = config().excludedNamespaces ?? [];
    const result = change === undefined ? undefined : judgeNamespace(change, census, excluded);
    reviews.inc({ endpoint, outcome: result?.ok === false ? 'refused' : 'allowed' });
    if (result === undefined || result.ok) return allow(uid);
    refusals.inc({ endpoint, code: result.code });
    log.info({ endpoint, namespace: change?.name, code: result.code }, 'change of a namespace refused');
    return deny(uid, result);
  };
  const onMutate = serve('mutate', mutate);
  const onValidate = serve('validate', check);
  app.post('/mutate', async (request, reply) => onMutate(request.body, reply));
  app.post('/validate', async (request, reply) => onValidate(request.body, reply));
  app.post('/validate-namespace', async (request, reply) => serveNamespace(request.body, reply));
  app.setErrorHandler((error: Error & { statusCode?: number }, request, reply) => {
    const status = error.statusCode ?? 500;
    if (status >= 500) log.error({ error, url: request.url }, 'review failed');
    const endpoint = ENDPOINTS.find((each) => request.url.split('?')[0] === `/${each}`);
    if (endpoint !== undefined) reviews.inc({ endpoint, outcome: 'failed' });
    // A failed review refuses the pod (failurePolicy: Fail); the reason is for the API server's log.
    return reply
      .code(status)
      .send({ error: status >= 500 ? 'the webhook failed; see its log' : error.message });
  });
  return app;
}
