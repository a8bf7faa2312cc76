import { checkAdmission } from './checks/admission.ts';
import { checkAdmissionPolicies } from './checks/admission-policies.ts';
import { checkAgents } from './checks/agents.ts';
import { checkClocks } from './checks/clocks.ts';
import { checkComponents } from './checks/components.ts';
import { checkDefinitions } from './checks/definitions.ts';
import { checkFront } from './checks/front.ts';
import { checkKeeperFindings } from './checks/keeper-findings.ts';
import { checkKubernetesVersion } from './checks/kubernetes-version.ts';
import { checkLeaders } from './checks/leaders.ts';
import { checkNamespaces } from './checks/namespaces.ts';
import { checkNodeTpms } from './checks/node-tpms.ts';
import { checkRights } from './checks/rights.ts';
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
  rights: checkRights,
  components: checkComponents,
  leaders: checkLeaders,
  admission: checkAdmission,
  agents: checkAgents,
  tpms: checkNodeTpms,
  namespaces: checkNamespaces,
  findings: checkKeeperFindings,
  clocks: checkClocks,
  front: checkFront,
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
