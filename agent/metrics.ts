import type { Metrics } from '../platform/metrics/metrics.ts';

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30];
const LEAVES = [1, 2, 4, 8, 16, 64, 256, 1024, 4096, 16_384, 65_536];

export type AgentMetrics = ReturnType<typeof agentMetrics>;

/** Every metric of the agent; names begin with `enclave_agent_`. */
export function agentMetrics(metrics: Metrics) {
  return {
    tpmUp: metrics.gauge('tpm_up', 'Whether the TPM answers (1) or is looked for (0)'),
    tpmReconnects: metrics.counter(
      'tpm_connections_total',
      'Times that the TPM was set up, the first included',
    ),
    tpmCommandSeconds: metrics.histogram(
      'tpm_command_seconds',
      'Time of a command in the TPM alone',
      ['command'],
      SECONDS,
    ),
    tpmFailures: metrics.counter('tpm_failures_total', 'Failures of the TPM', ['kind']),
    seals: metrics.counter('seals_total', 'Batches sealed by TPM2_Quote', ['result']),
    sealSeconds: metrics.histogram(
      'seal_seconds',
      'Time of a batch from its sealing to its quote, with everything that the TPM did for it',
      [],
      SECONDS,
    ),
    batchLeaves: metrics.histogram('batch_leaves', 'Statements in a sealed batch', [], LEAVES),
    waiting: metrics.gauge('queue_leaves', 'Statements that wait for the TPM'),
    waitSeconds: metrics.histogram(
      'queue_wait_seconds',
      'Time of a statement before its batch is sealed',
      [],
      SECONDS,
    ),
    turnedAway: metrics.counter(
      'turned_away_total',
      'Statements refused because the queue, or their pod’s share of it, was full',
      ['code'],
    ),
    enrolments: metrics.counter('enrolments_total', 'Attempts to enrol the attestation key', ['result']),
    rotations: metrics.counter(
      'attestation_key_rotations_total',
      'Attempts to replace the attestation key by another one',
      ['result'],
    ),
    akNotAfter: metrics.gauge(
      'attestation_key_certificate_not_after_seconds',
      'End of the attestation key certificate, unix time',
    ),
    identityNotAfter: metrics.gauge(
      'identity_not_after_seconds',
      "End of the agent's own certificate, unix time",
    ),
    trustVersion: metrics.gauge('trust_document_version', 'Version of the trust document in use'),
    trustRefused: metrics.counter('trust_documents_refused_total', 'Trust documents not accepted', ['code']),
    connections: metrics.gauge('connections', 'Connections of sidecars'),
    podWatchFailures: metrics.counter(
      'pod_watch_failures_total',
      "Attempts to list or watch the node's pods that failed",
    ),
    callers: metrics.counter('callers_total', 'Callers authenticated or refused', ['code']),
    requests: metrics.counter('requests_total', 'Requests by path and outcome', ['path', 'code']),
    revocations: metrics.counter('revocations_total', 'Revocations asked for', ['result']),
  };
}
