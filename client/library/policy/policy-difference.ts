import {
  type Accepted,
  accepts,
  acceptsImage,
  type PcrPolicy,
  type Policy,
} from '../../../verify/policy/policy.ts';
import type { Observation } from './observe.ts';

/** One member of a policy against what a bundle has. */
export interface Difference {
  readonly member: keyof Policy;
  readonly ok: boolean;
  /** What the bundle has. */
  readonly has: readonly string[];
  /** What of it the policy refuses. */
  readonly refused: readonly string[];
}

/**
 * Member by member what a bundle has and whether the policy accepts it.
 * @param age seconds since the statement was made
 */
export function policyDifferences(policy: Policy, observed: Observation, age: number): Difference[] {
  const seen = observed.policy;
  const owner = seen.ownerKeys === 'any' ? ['none'] : seen.ownerKeys;
  return [
    {
      member: 'allowEmulatedTpm',
      ...judged([observed.tpm], (how) => how !== 'emulated' || policy.allowEmulatedTpm),
    },
    { member: 'eks', ...listed(policy.eks, seen.eks) },
    pcrDifference(policy.pcrs, seen.pcrs),
    { member: 'roots', ...listed(policy.roots, seen.roots) },
    { member: 'namespaces', ...listed(policy.namespaces, seen.namespaces) },
    { member: 'serviceAccounts', ...listed(policy.serviceAccounts, seen.serviceAccounts) },
    { member: 'enclaves', ...listed(policy.enclaves, seen.enclaves) },
    { member: 'images', ...listed(policy.images, seen.images, acceptsImage) },
    { member: 'specSha256', ...listed(policy.specSha256, seen.specSha256) },
    { member: 'modes', ...listed(policy.modes, seen.modes) },
    { member: 'auth', ...listed(policy.auth, seen.auth) },
    { member: 'upstream', ...listed(policy.upstream, seen.upstream) },
    { member: 'ownerKeys', ...listed(policy.ownerKeys, owner) },
    { member: 'maxAge', ...judged([`${age} s`], () => age <= policy.maxAge) },
  ];
}

function judged(has: readonly string[], good: (value: string) => boolean): Omit<Difference, 'member'> {
  const refused = has.filter((value) => !good(value));
  return { ok: refused.length === 0, has, refused };
}

function listed<T extends string>(
  accepted: Accepted<T>,
  has: Accepted<T>,
  good: (accepted: Accepted<string>, value: string) => boolean = accepts,
): Omit<Difference, 'member'> {
  return judged(has === 'any' ? [] : has, (value) => good(accepted, value));
}

function pcrDifference(accepted: 'any' | PcrPolicy, seen: 'any' | PcrPolicy): Difference {
  const member = 'pcrs';
  const [values] = seen === 'any' ? [] : seen.sets;
  if (seen === 'any' || !values) return { member, ok: accepted === 'any', has: [], refused: [] };
  const shown = [...values.values].map(([pcr, digests]) => [pcr, digests[0] ?? ''] as const);
  const text = ([pcr, digest]: readonly [number, string]) => `${pcr}: ${digest}`;
  const has = [`${seen.hash} of ${shown.map(([pcr]) => pcr).join(', ')}`];
  if (accepted === 'any') return { member, ok: true, has, refused: [] };
  const selection = (pcrs: Iterable<number>) => [...pcrs].sort((a, b) => a - b).join(', ');
  const mine = selection(values.values.keys());
  const results = accepted.sets.map((set) => {
    const named = selection(set.values.keys());
    if (accepted.hash !== seen.hash || named !== mine)
      return [`set ${set.name}: names ${accepted.hash} ${named}, the quote has ${seen.hash} ${mine}`];
    return shown
      .filter(([pcr, digest]) => !accepts(set.values.get(pcr) ?? [], digest))
      .map((each) => `set ${set.name}: PCR ${text(each)}`);
  });
  const ok = results.some((wrong) => wrong.length === 0);
  return { member, ok, has, refused: ok ? [] : results.flat() };
}
