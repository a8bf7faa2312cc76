import type { Metrics } from '../../platform/metrics/metrics.ts';
import { AgentError } from '../agent/agent-error.ts';
import { UnusableCertificate } from './credential.ts';

/** Metrics of the certificate's life. */
export function lifeMetrics(metrics: Metrics) {
  return {
    attempts: metrics.counter('certificates_total', 'Attempts to get a certificate.', ['outcome']),
    failures: metrics.counter('certificate_failures_total', 'Failed attempts by code.', ['code']),
    failing: metrics.gauge('certificate_failures', 'Failed attempts since the last certificate.'),
    notAfter: metrics.gauge('certificate_not_after_seconds', 'End of the certificate, unix seconds.'),
    took: metrics.histogram('attestation_seconds', 'Time from a new key to its first quote.'),
  };
}

/** The agent's own code, or what went wrong here. */
export function failureCode(error: unknown): string {
  if (error instanceof AgentError) return error.code;
  return error instanceof UnusableCertificate ? 'certificate-unusable' : 'local';
}
