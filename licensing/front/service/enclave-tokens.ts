import type { RpcCall } from '../../../platform/rpc/rpc-call.ts';
import type {
  IssueEnclaveTokenRequest,
  IssueEnclaveTokenResponse,
} from '../../../proto/gen/enclave_licensing/licensing/v1/licensing.ts';
import { frontRefusal } from '../front-refusal.ts';
import type { FrontWorld } from '../front-world.ts';
import { authenticate, countWork } from './authenticate.ts';
import { mustBeReady, ownEnclave, unknownEnclave } from './own-enclave.ts';
import { RequestChecks } from './request-checks.ts';

/**
 * A token of the user for one enclave with `auth: jwt`. Of a launched one its user may have it, and nobody else. Of a self-deployed one front knows nothing but the namespace
 * in its id: every user may, where the operator lists that, and the app decides by `X-Enclave-User`.
 */
export async function issueEnclaveToken(
  world: FrontWorld,
  { enclave }: IssueEnclaveTokenRequest,
  call: RpcCall,
): Promise<IssueEnclaveTokenResponse> {
  const user = await authenticate(world, call);
  const checks = new RequestChecks();
  checks.enclave('enclave', enclave);
  checks.done();
  countWork(world, user);
  const serverName = await nameOf(world, user, enclave);
  const { lifetimeMs } = world.enclaveTokens;
  const issued = await world.tokens.issueFor(serverName, user, lifetimeMs, world.clock.now());
  if (!issued.ok) throw frontRefusal(issued, { retryAfterMs: 1000 });
  const { token, expiresAt } = issued.value;
  call.log.info({ enclave }, 'token for an enclave issued');
  return { token, expiresAt: new Date(expiresAt), serverName };
}

/** @throws RpcRefusal NOT_FOUND, FAILED_PRECONDITION */
async function nameOf(world: FrontWorld, user: string, enclave: string): Promise<string> {
  // The id of a self-deployed enclave is `<namespace>.<service account>`; a namespace has no dot.
  const dot = enclave.indexOf('.');
  if (dot >= 0) {
    const { namespaces, domain } = world.enclaveTokens;
    if (namespaces.includes(enclave.slice(0, dot))) return `${enclave}.${domain}`;
    throw unknownEnclave(enclave);
  }
  const record = await ownEnclave(world, user, enclave);
  mustBeReady(record);
  return record.serverName;
}
