import type { Metrics } from '../../platform/metrics/metrics.ts';

/** Every metric of the launcher, in one place. */
export interface LauncherMetrics {
  /** `ready`, a LaunchCode, or `ended` when the caller went away. */
  launched(outcome: string): void;
  /** From the call to this phase. */
  phaseReached(phase: string, milliseconds: number): void;
  evidence(outcome: 'ok' | 'failed', milliseconds: number): void;
  userCertificate(outcome: 'issued' | 'denied' | 'failed'): void;
}

const BUCKETS = [0.02, 0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120, 300];

export function launcherMetrics(metrics: Metrics): LauncherMetrics {
  const launches = metrics.counter('launches_total', 'Launch calls by outcome', ['outcome']);
  const phases = metrics.histogram(
    'launch_phase_seconds',
    'Time from the launch call to each phase',
    ['phase'],
    BUCKETS,
  );
  const evidence = metrics.histogram(
    'evidence_seconds',
    'Time to fetch fresh evidence from a sidecar',
    ['outcome'],
    BUCKETS,
  );
  const certificates = metrics.counter('user_certificates_total', 'User certificates by outcome', [
    'outcome',
  ]);
  return {
    launched: (outcome) => launches.inc({ outcome }),
    phaseReached: (phase, milliseconds) => phases.observe(milliseconds / 1000, { phase }),
    evidence: (outcome, milliseconds) => evidence.observe(milliseconds / 1000, { outcome }),
    userCertificate: (outcome) => certificates.inc({ outcome }),
  };
}
