import { DEFINITION_RULES } from '../custom/definition-rules.ts';
import type { Resource } from '../resource.ts';
import { type KindRules, NO_RULES, type RulesTable } from '../rules.ts';
import {
  BINDING_RULES,
  CONFIG_MAP_RULES,
  LEASE_RULES,
  NAMESPACE_RULES,
  NODE_RULES,
  SECRET_RULES,
} from './core-rules.ts';
import { CSR_RULES } from './csr-rules.ts';
import { POD_RULES } from './pod-rules.ts';
import {
  MUTATING_RULES,
  NETWORK_POLICY_RULES,
  POLICY_BINDING_RULES,
  POLICY_RULES,
  VALIDATING_RULES,
} from './registration-rules.ts';
import { SERVICE_RULES } from './service-rules.ts';

/** Rules by table, so that both shapes of an Event share theirs. */
const RULES: RulesTable = {
  namespaces: NAMESPACE_RULES,
  nodes: NODE_RULES,
  pods: POD_RULES,
  secrets: SECRET_RULES,
  configmaps: CONFIG_MAP_RULES,
  services: SERVICE_RULES,
  'leases.coordination.k8s.io': LEASE_RULES,
  'certificatesigningrequests.certificates.k8s.io': CSR_RULES,
  'rolebindings.rbac.authorization.k8s.io': BINDING_RULES,
  'clusterrolebindings.rbac.authorization.k8s.io': BINDING_RULES,
  'mutatingwebhookconfigurations.admissionregistration.k8s.io': MUTATING_RULES,
  'validatingwebhookconfigurations.admissionregistration.k8s.io': VALIDATING_RULES,
  'validatingadmissionpolicies.admissionregistration.k8s.io': POLICY_RULES,
  'validatingadmissionpolicybindings.admissionregistration.k8s.io': POLICY_BINDING_RULES,
  'networkpolicies.networking.k8s.io': NETWORK_POLICY_RULES,
  'customresourcedefinitions.apiextensions.k8s.io': DEFINITION_RULES,
};

export function rulesOf(resource: Resource): KindRules {
  return RULES[resource.table] ?? NO_RULES;
}
