import { isJsonObject, type Json, type JsonObject } from '../../../formats/bytes/json.ts';
import { formatPolicy } from '../../../verify/policy/format-policy.ts';
import type { Policy } from '../../../verify/policy/policy.ts';
import { readPolicyFile } from '../../library/policy/policy-file.ts';
import { GAP, type Line, row, type Segment, wrap } from '../terminal/styled.ts';
import type { Workspace } from '../workspace.ts';
import { MEMBERS } from './policy-members.ts';

const NAMES = Object.keys(MEMBERS) as (keyof Policy)[];
export const MEMBER_WIDTH = Math.max(...NAMES.map((name) => name.length));
/** Evidence of an hour and more is a recording for most purposes. */
const LONG_AGE = 3600;

/** `enclavectl policy check FILE`: what is pinned and what is any, and what follows. */
export async function policyCheck({ output }: Workspace, file: string): Promise<void> {
  const policy = readPolicyFile(file);
  const warnings = policyWarnings(policy);
  const values = formatPolicy(policy);
  const members = NAMES.map((member) => ({
    member,
    pinned: isPinned(policy, member),
    accepts: values[member] ?? null,
  }));
  output.result({ ok: true, file, members, warnings }, [
    ...members.flatMap(({ member, pinned, accepts }) => {
      const mark: Segment = pinned ? { text: 'pinned', style: 'good' } : { text: 'any', style: 'warning' };
      return row([mark, member, acceptedText(accepts)], [6, MEMBER_WIDTH, valueWidth(output.width)]);
    }),
    ...warnings.flatMap(({ member, message }): Line[] =>
      wrap(`warning: ${member}: ${message}`, output.width).map((text) => [{ text, style: 'warning' }]),
    ),
    `${file}: ${members.filter(({ pinned }) => pinned).length} of ${members.length} members pinned`,
  ]);
}

function valueWidth(width: number): number {
  return Math.max(width - 6 - MEMBER_WIDTH - 2 * GAP, 16);
}

function isPinned(policy: Policy, member: keyof Policy): boolean {
  return member === 'allowEmulatedTpm' ? !policy.allowEmulatedTpm : policy[member] !== 'any';
}

/** A member's value as a person reads it. */
export function acceptedText(value: Json): string {
  if (Array.isArray(value)) return value.join(', ');
  return isJsonObject(value) ? pcrsText(value) : String(value);
}

function pcrsText(pcrs: JsonObject): string {
  const { hash, sets } = pcrs as { hash?: string; sets?: { name: string; values: object }[] };
  if (sets === undefined) return 'any';
  return sets.map(({ name, values }) => `${name} (${hash}: ${Object.keys(values).join(', ')})`).join('; ');
}

export interface PolicyWarning {
  readonly member: keyof Policy;
  readonly message: string;
}

/** What a policy lets through that its author may not mean to. */
function policyWarnings(policy: Policy): PolicyWarning[] {
  const found: PolicyWarning[] = NAMES.filter((member) => !isPinned(policy, member)).map((member) => ({
    member,
    message: MEMBERS[member].any,
  }));
  if (policy.pcrs !== 'any')
    for (const { name, values } of policy.pcrs.sets) {
      const open = [...values].filter(([, accepted]) => accepted === 'any').map(([pcr]) => pcr);
      if (open.length > 0)
        found.push({ member: 'pcrs', message: `any value of PCR ${open.join(', ')} in the set ${name}` });
    }
  if (policy.auth !== 'any' && policy.auth.includes('jwt'))
    found.push({ member: 'auth', message: 'jwt: the server decides who gets in, and is trusted for that' });
  if (policy.maxAge >= LONG_AGE)
    found.push({
      member: 'maxAge',
      message: `evidence of ${Math.floor(policy.maxAge / 60)} minutes is accepted`,
    });
  return found;
}
