import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { explain } from '../../platform/run/explain.ts';
import { parsePolicy } from '../../verify/policy/parse-policy.ts';
import type { Policy } from '../../verify/policy/policy.ts';
import { usage } from '../failure.ts';

const MAX_POLICY_BYTES = 1024 * 1024;

/** Reads a policy, YAML or JSON. @throws Failure that names the file and the member */
export function readPolicyFile(path: string): Policy {
  let value: unknown;
  try {
    const text = readFileSync(path, 'utf8');
    if (text.length > MAX_POLICY_BYTES) throw new Error('over 1 MiB');
    value = parse(text, { uniqueKeys: true, maxAliasCount: 0 });
  } catch (error) {
    throw usage(
      'policy-unreadable',
      `policy ${path}: ${explain(error)}`,
      'give a YAML or JSON file with --policy',
    );
  }
  const policy = parsePolicy(value);
  if (!policy.ok) throw usage(policy.code, `policy ${path}: ${policy.message}`, policy.remedy);
  return policy.value;
}
