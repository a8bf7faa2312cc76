import type { Metrics } from '../../platform/metrics/metrics.ts';
import type { PolicyAction } from './decide-policies.ts';
import { FINDING_REASONS, type Finding } from './finding.ts';

/** Every metric of the keeper, in one place. */
export interface KeeperMetrics {
  leads(is: boolean): void;
  /** Whether the replica's copy of the cluster is current. */
  copyIsCurrent(is: boolean): void;
  /** How many findings of each reason there are now. */
  found(findings: readonly Finding[]): void;
  policyWritten(kind: PolicyAction['kind']): void;
  failed(what: 'policy' | 'event' | 'status' | 'probe'): void;
}

export function keeperMetrics(metrics: Metrics): KeeperMetrics {
  const leads = metrics.gauge('keeper_leads', 'Whether this replica keeps policies and reports (0 or 1).');
  const current = metrics.gauge(
    'keeper_copy_current',
    'Whether this replica sees the cluster as it is (0 or 1).',
  );
  const findings = metrics.gauge(
    'findings',
    'What is wrong with enclave pods and their policies, by reason.',
    ['reason'],
  );
  const written = metrics.counter('keeper_policy_writes_total', 'Network policies written, by action.', [
    'action',
  ]);
  const failures = metrics.counter('keeper_failures_total', 'What the keeper could not do, by kind.', [
    'what',
  ]);
  return {
    leads: (is) => leads.set(is ? 1 : 0),
    copyIsCurrent: (is) => current.set(is ? 1 : 0),
    found: (all) => {
      for (const reason of FINDING_REASONS)
        findings.set(all.filter((each) => each.reason === reason).length, { reason });
    },
    policyWritten: (action) => written.inc({ action }),
    failed: (what) => failures.inc({ what }),
  };
}
