import type { RpcCall } from '../../../platform/rpc/rpc-call.ts';
import { frontRefusal } from '../front-refusal.ts';
import type { FrontWorld } from '../front-world.ts';

/** The user whose token the call carries. @throws RpcRefusal UNAUTHENTICATED; PERMISSION_DENIED when the user was revoked; UNAVAILABLE when nobody can know that */
export async function authenticate({ tokens, clock, judgeUser }: FrontWorld, call: RpcCall): Promise<string> {
  if (call.bearerToken === undefined)
    throw frontRefusal({
      code: 'unauthenticated',
      message: 'the call carries no token',
      remedy: 'log in first',
    });
  const user = await tokens.check(call.bearerToken, clock.now());
  if (!user.ok) throw frontRefusal(user);
  const refusal = judgeUser(user.value);
  if (refusal !== undefined) throw frontRefusal(refusal);
  return user.value;
}

/** Counts a call that makes the cluster work: certificate requests, quotes, pods. @throws RpcRefusal RESOURCE_EXHAUSTED */
export function countWork({ workByUser, clock }: FrontWorld, user: string): void {
  const retryAfterMs = workByUser.take(user, clock.now());
  if (retryAfterMs > 0)
    throw frontRefusal(
      { code: 'rate-limited', message: 'too many calls', remedy: 'wait, then try again' },
      { retryAfterMs },
    );
}
