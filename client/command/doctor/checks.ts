import { checkAdmissionPolicies } from './checks/admission-policies.ts';
import { checkDefinitions } from './checks/definitions.ts';
import { checkKubernetesVersion } from './checks/kubernetes-version.ts';
import { checkRoots } from './checks/roots.ts';
import { checkWebhookConfigurations } from './checks/webhook-configurations.ts';
import type { CheckResult } from './finding.ts';
import { Notes } from './notes.ts';
import type { Snapshot } from './snapshot.ts';

/** Every check by its name, in the order in which they are told: what others rest on first. */
const CHECKS = {
  kubernetes: checkKubernetesVersion,
  definitions: checkDefinitions,
  roots: checkRoots,
  webhooks: checkWebhookConfigurations,
  policies: checkAdmissionPolicies,
} as const satisfies Record<string, (snapshot: Snapshot, notes: Notes) => void>;

export type CheckName = keyof typeof CHECKS;
export interface NamedResult extends CheckResult {
  readonly check: CheckName;
}

/** Pure: what all checks say of a snapshot. */
export function diagnose(snapshot: Snapshot): NamedResult[] {
  return Object.entries(CHECKS).map(([name, check]) => {
    const notes = new Notes();
    check(snapshot, notes);
    return { check: name as CheckName, ...notes.result() };
  });
}
