import type { Json } from '../../formats/bytes/json.ts';
import type { Accepted, Policy } from './policy.ts';

function list<T extends string>(accepted: Accepted<T>): readonly string[] {
  return accepted === 'any' ? ['any'] : accepted;
}

/** The value that `parsePolicy` reads as this policy, members in the schema's order: for files and for showing. */
export function formatPolicy(policy: Policy): { readonly [member: string]: Json } {
  const { pcrs } = policy;
  return {
    allowEmulatedTpm: policy.allowEmulatedTpm,
    eks: list(policy.eks),
    pcrs:
      pcrs === 'any'
        ? { accept: 'any' }
        : {
            accept: 'listed',
            hash: pcrs.hash,
            sets: pcrs.sets.map(({ name, values }) => ({
              name,
              values: Object.fromEntries([...values].map(([pcr, digests]) => [`${pcr}`, list(digests)])),
            })),
          },
    roots: list(policy.roots),
    namespaces: list(policy.namespaces),
    serviceAccounts: list(policy.serviceAccounts),
    enclaves: list(policy.enclaves),
    images: list(policy.images),
    specSha256: list(policy.specSha256),
    modes: list(policy.modes),
    auth: list(policy.auth),
    upstream: list(policy.upstream),
    ownerKeys: list(policy.ownerKeys),
    maxAge: policy.maxAge,
  };
}
