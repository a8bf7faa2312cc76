import type { Refusal, Result } from '../formats/bytes/result.ts';
import type { InjectionConfig } from '../injection/config.ts';
import { decide } from '../injection/decide.ts';
import type { Logger } from '../platform/log/logger.ts';
import type { Metrics } from '../platform/metrics/metrics.ts';
import { type AdmissionRequest, allow, deny, readReview } from './admission-review.ts';
import { rejection, type ServingCode } from './code.ts';
import { readNamespaceReview } from './keeper/namespace-review.ts';
import { type Census, judgeNamespace } from './keeper/namespace-rule.ts';
import { validate } from './validate.ts';

export const ENDPOINTS = ['mutate', 'validate', 'validate-namespace'] as const;
export type Endpoint = (typeof ENDPOINTS)[number];

export interface ReviewSettings {
  /** The configuration as it is now: roots change while we serve. */
  readonly config: () => InjectionConfig;
  readonly releaseNamespace: string;
  /** Which enclaves run. Without one no namespace may lose its label. */
  readonly census?: Census;
  readonly log: Logger;
  readonly metrics: Metrics;
}

interface Reviewed {
  /** ASCII. */
  readonly review: string;
  readonly outcome: 'patched' | 'unchanged' | 'allowed' | 'refused';
  readonly code?: string;
  /** For the log of a refusal. */
  readonly of?: Readonly<Record<string, string | undefined>>;
}

/** Of names in the log; no object's is longer. */
const MAX_NAME = 253;
const NO_CENSUS: Census = { current: () => false, running: () => [] };

/**
 * Answers reviews: bytes of a request's body in, the review to send back, in ASCII, or why there is none. No call to the API server, no file, no diff.
 */
export function createReviews(
  settings: ReviewSettings,
): (endpoint: Endpoint, body: Buffer) => Result<string, ServingCode> {
  const { log, metrics } = settings;
  const reviews = metrics.counter('reviews_total', 'Admission reviews by endpoint and outcome.', [
    'endpoint',
    'outcome',
  ]);
  const refusals = metrics.counter('refusals_total', 'Refused requests by code.', ['endpoint', 'code']);
  const seconds = metrics.histogram(
    'review_seconds',
    'Time of a review, from the last byte of its body to the answer.',
    ['endpoint'],
    [0.0001, 0.001, 0.01, 0.1, 1, 10],
  );
  const judges = judgesOf(settings);
  return (endpoint, body) => {
    const start = performance.now();
    let parsed: unknown;
    try {
      parsed = JSON.parse(body.toString('utf8'));
    } catch {
      return rejection('body-not-json', 'the body is no JSON', 'Send an AdmissionReview as JSON.');
    }
    const reviewed = judges[endpoint](parsed);
    if (reviewed === undefined)
      return rejection(
        'body-not-a-review',
        `the body is no admission.k8s.io/v1 AdmissionReview for /${endpoint}`,
        'Compare the rules of the webhook configuration with the release’s.',
      );
    const { review, outcome, code, of } = reviewed;
    reviews.inc({ endpoint, outcome });
    if (code !== undefined) {
      refusals.inc({ endpoint, code });
      log.info({ endpoint, ...of, code }, 'refused');
    }
    seconds.observe((performance.now() - start) / 1000, { endpoint });
    return { ok: true, value: review };
  };
}

/** Each takes a parsed body; undefined when it is no review of what the endpoint is for. */
function judgesOf(settings: ReviewSettings): Record<Endpoint, (body: unknown) => Reviewed | undefined> {
  const { config, releaseNamespace, census = NO_CENSUS } = settings;
  const ofPod = (judge: (request: AdmissionRequest) => Reviewed) => (body: unknown) => {
    const request = readReview(body);
    if (request === undefined) return undefined;
    return request.operation === 'CREATE'
      ? judge(request)
      : { review: allow(request.uid), outcome: 'allowed' as const };
  };
  return {
    mutate: ofPod((request) => {
      const decision = decide(request.pod, request.namespace, config());
      if (!decision.ok) return refused(request.uid, decision, podOf(request));
      const { patch, warnings } = decision;
      const review = allow(request.uid, patch, warnings);
      return { review, outcome: patch.length > 0 ? 'patched' : 'unchanged' };
    }),
    validate: ofPod((request) => {
      const result = validate(request, config(), releaseNamespace);
      return result.ok
        ? { review: allow(request.uid), outcome: 'allowed' }
        : refused(request.uid, result, podOf(request));
    }),
    'validate-namespace': (body) => {
      const review = readNamespaceReview(body);
      if (review === undefined) return undefined;
      const { uid, change } = review;
      const result =
        change === undefined ? undefined : judgeNamespace(change, census, config().excludedNamespaces ?? []);
      return result === undefined || result.ok
        ? { review: allow(uid), outcome: 'allowed' }
        : refused(uid, result, { namespace: change?.name });
    },
  };
}

function podOf({ namespace, pod }: AdmissionRequest): Readonly<Record<string, string | undefined>> {
  const name = pod.metadata?.name ?? pod.metadata?.generateName;
  // Nobody has bounded it yet: API servers look at names after their webhooks.
  return { namespace, pod: typeof name === 'string' ? name.slice(0, MAX_NAME) : undefined };
}

function refused(uid: string, refusal: Refusal, of: Readonly<Record<string, string | undefined>>): Reviewed {
  return { review: deny(uid, refusal), outcome: 'refused', code: refusal.code, of };
}
