import { openGrant } from '../../../formats/evidence/grant.ts';
import type { RpcCall } from '../../../platform/rpc/rpc-call.ts';
import type {
  IssueUserCertificateRequest,
  IssueUserCertificateResponse,
} from '../../../proto/gen/enclave_licensing/licensing/v1/licensing.ts';
import type { EnclaveRecord } from '../../store/enclave-record.ts';
import { frontRefusal } from '../front-refusal.ts';
import type { FrontWorld } from '../front-world.ts';
import { authenticate, countWork } from './authenticate.ts';
import { mustBeReady, ownEnclave, unknownEnclave } from './own-enclave.ts';
import { requestKeySha256 } from './owner-request.ts';
import { RequestChecks } from './request-checks.ts';
import { viaLauncher } from './via-launcher.ts';

const MAX_GRANT = 4096;
const MAX_SIGNATURE = 128;

/**
 * A user's certificate for an enclave: the owner's, a grantee's, or renewed. Who may have one is decided by the certificate service from
 * the pod; front only keeps launched enclaves from those who are neither their user nor named by a grant of their owner key.
 */
export async function issueUserCertificate(
  world: FrontWorld,
  request: IssueUserCertificateRequest,
  call: RpcCall,
): Promise<IssueUserCertificateResponse> {
  const user = await authenticate(world, call);
  const { enclave, certificateRequest, grant, grantSignature } = request;
  const checks = new RequestChecks();
  checks.enclave('enclave', enclave);
  if (grant.length > MAX_GRANT) checks.wrong('grant', `must be at most ${MAX_GRANT} bytes`);
  if (grantSignature.length > MAX_SIGNATURE)
    checks.wrong('grant_signature', `must be at most ${MAX_SIGNATURE} bytes`);
  if (grant.length > 0 !== grantSignature.length > 0)
    checks.wrong('grant_signature', 'must be there exactly when a grant is');
  const keySha256 = requestKeySha256(world.crypto, certificateRequest, checks);
  checks.done();
  countWork(world, user);
  // The id of a self-deployed enclave has a dot, and front has no record of it.
  if (!enclave.includes('.')) {
    const record =
      grant.length === 0
        ? await ownEnclave(world, user, enclave)
        : await grantedEnclave(world, user, request, keySha256);
    mustBeReady(record);
  }
  const options = { signal: call.signal, requestId: call.requestId };
  return viaLauncher(
    world.launcher.issueUserCertificate(
      { enclave, user, certificateRequest, grant, grantSignature },
      options,
    ),
  );
}

async function grantedEnclave(
  { store, crypto, clock }: FrontWorld,
  user: string,
  { enclave, grant, grantSignature }: IssueUserCertificateRequest,
  keySha256: string,
): Promise<EnclaveRecord> {
  const record = await store.findEnclave(enclave);
  // Without a grant of its owner nobody learns that the enclave exists.
  const opened = record && openGrant(crypto, grant, grantSignature, record.ownerKeySha256);
  if (record === undefined || !opened?.ok || opened.value.enclave !== enclave || opened.value.user !== user)
    throw unknownEnclave(enclave);
  const wrong =
    opened.value.keySha256 !== keySha256
      ? 'the grant is for another key'
      : opened.value.notAfter * 1000 <= clock.now()
        ? 'the grant has expired'
        : undefined;
  if (wrong !== undefined)
    throw frontRefusal({ code: 'grant-refused', message: wrong, remedy: 'ask the owner for a new grant' });
  return record;
}
