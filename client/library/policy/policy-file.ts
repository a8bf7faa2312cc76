import { parsePolicy } from '../../../verify/policy/parse-policy.ts';
import type { Policy } from '../../../verify/policy/policy.ts';
import { usage } from '../../failure.ts';
import { readYamlFile } from './yaml-file.ts';

const MAX_POLICY_BYTES = 256 * 1024;

/** Reads a policy, YAML or JSON. @throws Failure that names file, line, column and member */
export function readPolicyFile(path: string): Policy {
  const file = readYamlFile(path, 'policy', MAX_POLICY_BYTES);
  const policy = parsePolicy(file.value);
  if (!policy.ok) throw usage(policy.code, file.at(policy.message), policy.remedy);
  return policy.value;
}
