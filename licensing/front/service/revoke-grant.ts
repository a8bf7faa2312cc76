import { toHex } from '../../../formats/bytes/bytes.ts';
import { GRANT_REVOCATION_VERSION, openGrant, parseGrant } from '../../../formats/evidence/grant.ts';
import type { RpcCall } from '../../../platform/rpc/rpc-call.ts';
import type {
  RevokeGrantRequest,
  RevokeGrantResponse,
} from '../../../proto/gen/enclave_licensing/licensing/v1/licensing.ts';
import { frontRefusal } from '../front-refusal.ts';
import type { FrontWorld } from '../front-world.ts';
import { authenticate, countWork } from './authenticate.ts';
import { unknownEnclave } from './own-enclave.ts';
import { RequestChecks } from './request-checks.ts';
import { viaLauncher } from './via-launcher.ts';

const MAX_REVOCATION = 4096;
const MAX_SIGNATURE = 128;

/**
 * An owner takes a grant back. The owner key's signature is what counts, and the certificate service judges it; front only keeps from the cluster what nobody can have
 * meant, and says nothing of enclaves to who does not hold their key.
 */
export async function revokeGrant(
  world: FrontWorld,
  { revocation, signature }: RevokeGrantRequest,
  call: RpcCall,
): Promise<RevokeGrantResponse> {
  const user = await authenticate(world, call);
  const checks = new RequestChecks();
  if (revocation.length > MAX_REVOCATION)
    checks.wrong('revocation', `must be at most ${MAX_REVOCATION} bytes`);
  if (signature.length > MAX_SIGNATURE) checks.wrong('signature', `must be at most ${MAX_SIGNATURE} bytes`);
  const parsed = parseGrant(revocation, GRANT_REVOCATION_VERSION);
  if (!parsed.ok)
    checks.wrong('revocation', `must be a signed ${GRANT_REVOCATION_VERSION}: ${parsed.message}`);
  else checks.enclave('revocation', parsed.value.enclave);
  checks.done();
  countWork(world, user);
  const { enclave, ownerKey } = parsed.ok ? parsed.value : { enclave: '', ownerKey: new Uint8Array() };
  // The id of a self-deployed enclave has a dot, and front has no record of it.
  const record = enclave.includes('.') ? undefined : await world.store.findEnclave(enclave);
  if (record === undefined && !enclave.includes('.')) throw unknownEnclave(enclave);
  const owner = record?.ownerKeySha256 ?? toHex(world.crypto.hash('sha256', ownerKey));
  const opened = openGrant(world.crypto, revocation, signature, owner, GRANT_REVOCATION_VERSION);
  if (!opened.ok) throw record === undefined ? unsigned(opened.message) : unknownEnclave(enclave);
  const options = { signal: call.signal, requestId: call.requestId };
  const answer = await viaLauncher(world.launcher.revokeGrant({ revocation, signature }, options));
  call.log.info({ user, enclave, keySha256: opened.value.keySha256 }, 'grant revoked');
  return answer;
}

function unsigned(message: string): Error {
  return frontRefusal({ code: 'grant-refused', message, remedy: 'sign it with the owner key that it names' });
}
