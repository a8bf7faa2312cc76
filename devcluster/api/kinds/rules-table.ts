import type { Resource } from '../resource.ts';
import { type KindRules, NO_RULES, type RulesTable } from '../rules.ts';

/** Rules by table, so that both shapes of an Event share theirs. */
const RULES: RulesTable = {};

export function rulesOf(resource: Resource): KindRules {
  return RULES[resource.table] ?? NO_RULES;
}
