import type { Json } from '../../formats/bytes/json.ts';
import type { Policy } from './policy.ts';

/** The value that `parsePolicy` reads as this policy, members in the schema's order: for files and for showing. */
export function formatPolicy(policy: Policy): { readonly [member: string]: Json } {
  const { allowEmulatedTpm, eks, pcrs, ...rest } = policy;
  return {
    allowEmulatedTpm,
    eks,
    pcrs:
      pcrs === 'any'
        ? pcrs
        : {
            hash: pcrs.hash,
            sets: pcrs.sets.map(({ name, values }) => ({
              name,
              values: Object.fromEntries([...values].map(([pcr, digests]) => [`${pcr}`, digests])),
            })),
          },
    ...rest,
  };
}
