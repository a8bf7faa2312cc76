import type { Counter, Gauge, Metrics } from '../platform/metrics/metrics.ts';

export interface CertsMetrics {
  readonly requests: Counter;
  readonly cleaned: Counter;
  readonly retries: Counter;
  readonly queued: Gauge;
  readonly enrolments: Counter;
  readonly issued: Counter;
  readonly trustVersion: Gauge;
  readonly revocations: Gauge;
  readonly rootNotAfter: Gauge;
  readonly leader: Gauge;
  readonly elections: Counter;
}

/** Metric names of this component, all in one place. */
export function certsMetrics(metrics: Metrics): CertsMetrics {
  return {
    requests: metrics.counter('requests_total', 'Decisions about certificate requests', [
      'signer',
      'outcome',
    ]),
    cleaned: metrics.counter('requests_deleted_total', 'Finished certificate requests deleted'),
    retries: metrics.counter('retries_total', 'Attempts that are made again', ['loop']),
    queued: metrics.gauge('requests_queued', 'Certificate requests that wait or are worked on', ['loop']),
    enrolments: metrics.counter('enrolments_total', 'Enrolments of attestation keys', ['outcome']),
    issued: metrics.counter('certificates_total', 'Certificates signed', ['issuer']),
    trustVersion: metrics.gauge('trust_document_version', 'Version of the published trust document'),
    revocations: metrics.gauge('revocations', 'Revocations in the trust document', ['kind']),
    rootNotAfter: metrics.gauge('root_not_after_seconds', 'End of a root certificate, unix seconds', [
      'issuer',
    ]),
    leader: metrics.gauge('leader', 'Whether this replica leads: 1, or 0 while it stands by'),
    elections: metrics.counter('elections_total', 'Terms that this replica began as leader'),
  };
}
